//! Both versions of the listing call, from the wire form to a [`ListRequest`] and back.

use s3s::dto::{
    CommonPrefix, ETag, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, Object as WireObject, ObjectStorageClass, Timestamp,
};
use s3s::{S3Result, s3_error};

use super::listing::{ListPage, ListRequest, Position};
use super::operations::wire_error;
use super::store::Store;

/// The most keys a page has, whatever was asked for.
const MAX_KEYS: i32 = 1000;

/// How a page departs from a true one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Oddity {
    /// It names itself as the next one.
    pub repeats_page: bool,
    /// Names at most.
    pub max_keys: Option<u32>,
    /// Objects of the page before that it begins with.
    pub repeats: u32,
    /// Objects that it leaves out at its end.
    pub skips: u32,
}

impl Oddity {
    fn bound(self, max_keys: i32) -> usize {
        let asked = usize::try_from(max_keys).unwrap_or_default();
        self.max_keys.map_or(asked, |bound| asked.min(bound.max(1) as usize))
    }

    /// The page of a request, as odd as it is to be.
    fn page(self, store: &Store, bucket: &str, request: &ListRequest<'_>) -> S3Result<ListPage> {
        let mut page = store.list(bucket, request).map_err(wire_error)?;
        let left = page.objects.len().saturating_sub(self.skips as usize);
        if page.next.is_some() {
            page.objects.truncate(left);
        }
        if let (Position::Key(key), true) = (&request.position, self.repeats > 0) {
            // What the page before ended with.
            let all = ListRequest { position: Position::Start, max_keys: usize::MAX, ..request.clone() };
            let before = store.list(bucket, &all).map_err(wire_error)?.objects;
            let end = before.partition_point(|(name, _)| name <= key);
            let again = before[end.saturating_sub(self.repeats as usize)..end].iter().cloned();
            page.objects.splice(0..0, again);
        }
        if self.repeats_page {
            page.next = Some(request.position.clone());
        }
        Ok(page)
    }
}

/// ListObjectsV2.
pub(crate) fn list_v2(
    store: &Store,
    input: ListObjectsV2Input,
    oddity: Oddity,
) -> S3Result<ListObjectsV2Output> {
    let position = match (&input.continuation_token, &input.start_after) {
        (Some(token), _) => Position::from_token(token)
            .ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))?,
        (None, Some(key)) if !key.is_empty() => Position::Key(key.clone()),
        (None, _) => Position::Start,
    };
    let max_keys = max_keys(input.max_keys)?;
    let request = ListRequest {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref(),
        position,
        max_keys: oddity.bound(max_keys),
    };
    let page = oddity.page(store, &input.bucket, &request)?;
    let text = Text::of(input.encoding_type.as_ref());
    let count = page.objects.len() + page.common_prefixes.len();
    let next = page.next.as_ref().map(Position::to_token);
    Ok(ListObjectsV2Output {
        is_truncated: Some(next.is_some()),
        next_continuation_token: next,
        key_count: i32::try_from(count).ok(),
        max_keys: Some(max_keys),
        common_prefixes: common_prefixes(&page, &text),
        contents: contents(page, &text),
        name: Some(input.bucket),
        prefix: Some(text.encode(input.prefix.unwrap_or_default())),
        delimiter: input.delimiter.map(|delimiter| text.encode(delimiter)),
        start_after: input.start_after.map(|key| text.encode(key)),
        continuation_token: input.continuation_token,
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

/// ListObjects, the first version: the marker is a key or a common prefix of the page before.
pub(crate) fn list_v1(store: &Store, input: ListObjectsInput, oddity: Oddity) -> S3Result<ListObjectsOutput> {
    let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
    let position = match input.marker.clone().unwrap_or_default() {
        marker if marker.is_empty() => Position::Start,
        marker if delimiter.is_some_and(|delimiter| marker.ends_with(delimiter)) => Position::Prefix(marker),
        marker => Position::Key(marker),
    };
    let max_keys = max_keys(input.max_keys)?;
    let request = ListRequest {
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter,
        position,
        max_keys: oddity.bound(max_keys),
    };
    let page = oddity.page(store, &input.bucket, &request)?;
    let text = Text::of(input.encoding_type.as_ref());
    let next = match &page.next {
        _ if oddity.repeats_page => Some(input.marker.clone().unwrap_or_default()),
        Some(Position::Key(marker) | Position::Prefix(marker)) => Some(marker.clone()),
        Some(Position::Start) | None => None,
    };
    Ok(ListObjectsOutput {
        is_truncated: Some(next.is_some()),
        next_marker: next.map(|marker| text.encode(marker)),
        max_keys: Some(max_keys),
        common_prefixes: common_prefixes(&page, &text),
        contents: contents(page, &text),
        name: Some(input.bucket),
        prefix: Some(text.encode(input.prefix.unwrap_or_default())),
        delimiter: input.delimiter.map(|delimiter| text.encode(delimiter)),
        marker: Some(text.encode(input.marker.unwrap_or_default())),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

fn max_keys(asked: Option<i32>) -> S3Result<i32> {
    match asked.unwrap_or(MAX_KEYS) {
        asked if asked < 0 => Err(s3_error!(InvalidArgument, "max-keys must not be negative")),
        asked => Ok(asked.min(MAX_KEYS)),
    }
}

fn contents(page: ListPage, text: &Text) -> Option<Vec<WireObject>> {
    let objects = page.objects.into_iter().map(|(key, object)| WireObject {
        key: Some(text.encode(key)),
        e_tag: Some(ETag::Strong(object.etag)),
        size: i64::try_from(object.size).ok(),
        last_modified: Some(Timestamp::from(object.modified)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Default::default()
    });
    Some(objects.collect())
}

fn common_prefixes(page: &ListPage, text: &Text) -> Option<Vec<CommonPrefix>> {
    let prefixes = page.common_prefixes.iter();
    Some(prefixes.map(|prefix| CommonPrefix { prefix: Some(text.encode(prefix.clone())) }).collect())
}

/// How keys are written in the answer.
enum Text {
    Plain,
    Url,
}

impl Text {
    fn of(encoding: Option<&EncodingType>) -> Self {
        match encoding {
            Some(encoding) if encoding.as_str() == EncodingType::URL => Self::Url,
            _ => Self::Plain,
        }
    }

    /// As S3 does: a space becomes `+`; letters, digits and `-_.*/` stay.
    fn encode(&self, text: String) -> String {
        use std::fmt::Write;
        if matches!(self, Self::Plain) {
            return text;
        }
        let mut encoded = String::with_capacity(text.len());
        for byte in text.bytes() {
            match byte {
                b' ' => encoded.push('+'),
                b'-' | b'_' | b'.' | b'*' | b'/' => encoded.push(char::from(byte)),
                _ if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
                // Writing to a String cannot fail.
                _ => write!(encoded, "%{byte:02X}").unwrap_or_default(),
            }
        }
        encoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_encoding_is_that_of_s3() {
        assert_eq!(Text::Url.encode("a b/c,%3A+\u{e4}.*".into()), "a+b/c%2C%253A%2B%C3%A4.*");
        assert_eq!(Text::Plain.encode("a b".into()), "a b");
    }
}
