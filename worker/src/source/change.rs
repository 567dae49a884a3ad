//! Changes of objects, each under the condition that the object is still the one that is meant.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{Tag, Tagging};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::classify::classify;
use super::error::SourceError;
use super::list_page::bare_etag;
use super::metrics::Operation;
use super::s3::S3Store;
use super::{Kind, Store};

/// What does not stand for itself in a header that names an object: all but letters, digits, `-_.~` and `/`.
const OF_A_HEADER: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// Tags of an object: key and value.
pub type Tags = Vec<(String, String)>;

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is made.
    Done,
    /// There is no such object.
    Gone,
    /// Another object stands there, and was left alone.
    Other,
}

impl Store {
    /// Deletes an object, only if it has the ETag where one is given. Whether the store honours that is another
    /// question.
    pub async fn delete(&self, bucket: &str, key: &str, etag: Option<&str>) -> Result<Change, SourceError> {
        changed(self.s3(key)?.delete(bucket, key, etag).await)
    }

    /// Copies an object, if it has this ETag, to a place of the same store.
    pub async fn copy(
        &self,
        (bucket, key): (&str, &str),
        etag: &str,
        to: (&str, &str),
    ) -> Result<Change, SourceError> {
        changed(self.s3(key)?.copy((bucket, key), etag, to).await)
    }

    /// The tags of an object; `None`: there is no such object.
    pub async fn tags(&self, bucket: &str, key: &str) -> Result<Option<Tags>, SourceError> {
        match self.s3(key)?.tags(bucket, key).await {
            Ok(tags) => Ok(Some(tags)),
            Err(SourceError::ObjectNotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives an object these tags and no others. There is no condition for it.
    pub async fn set_tags(&self, bucket: &str, key: &str, tags: &Tags) -> Result<Change, SourceError> {
        changed(self.s3(key)?.set_tags(bucket, key, tags).await)
    }

    /// Makes an empty object; its ETag.
    pub async fn put_empty(&self, bucket: &str, key: &str) -> Result<String, SourceError> {
        self.s3(key)?.put_empty(bucket, key).await
    }

    fn s3(&self, path: &str) -> Result<&S3Store, SourceError> {
        match &*self.0 {
            Kind::S3(store) => Ok(store),
            Kind::Local(_) => {
                let reason = "is a local path; only objects of S3 are changed".to_owned();
                Err(SourceError::InvalidPath { path: path.to_owned(), reason })
            }
        }
    }
}

fn changed(answer: Result<(), SourceError>) -> Result<Change, SourceError> {
    match answer {
        Ok(()) => Ok(Change::Done),
        Err(SourceError::ObjectNotFound { .. }) => Ok(Change::Gone),
        Err(SourceError::ObjectChanged { .. }) => Ok(Change::Other),
        Err(error) => Err(error),
    }
}

impl S3Store {
    async fn delete(&self, bucket: &str, key: &str, etag: Option<&str>) -> Result<(), SourceError> {
        let subject = self.subject(Operation::Delete, bucket, key);
        let delete = self.request(&subject, |number| {
            let subject = &subject;
            async move {
                let request = self.client.delete_object().bucket(bucket).key(key);
                request
                    .set_if_match(etag.map(quoted))
                    .send()
                    .await
                    .map_err(|error| classify(&error, subject, number))
            }
        });
        delete.await.map(|_| ())
    }

    async fn copy(
        &self,
        (bucket, key): (&str, &str),
        etag: &str,
        (to_bucket, to_key): (&str, &str),
    ) -> Result<(), SourceError> {
        let subject = self.subject(Operation::Copy, bucket, key);
        let source = url_encoded(&format!("{bucket}/{key}"));
        let copy = self.request(&subject, |number| {
            let (subject, source) = (&subject, source.clone());
            async move {
                let request =
                    self.client.copy_object().copy_source(source).copy_source_if_match(quoted(etag));
                let answer = request.bucket(to_bucket).key(to_key).send().await;
                answer.map_err(|error| classify(&error, subject, number))
            }
        });
        copy.await.map(|_| ())
    }

    async fn tags(&self, bucket: &str, key: &str) -> Result<Tags, SourceError> {
        let subject = self.subject(Operation::Tag, bucket, key);
        let read = self.request(&subject, |number| {
            let subject = &subject;
            async move {
                let answer = self.client.get_object_tagging().bucket(bucket).key(key).send().await;
                answer.map_err(|error| classify(&error, subject, number))
            }
        });
        let tags = read.await?.tag_set;
        Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    async fn set_tags(&self, bucket: &str, key: &str, tags: &Tags) -> Result<(), SourceError> {
        let tag = |(key, value): &(String, String)| Tag::builder().key(key).value(value).build();
        let tagging = tags.iter().map(tag).collect::<Result<Vec<_>, _>>();
        let tagging = tagging.and_then(|tags| Tagging::builder().set_tag_set(Some(tags)).build());
        let tagging = tagging.map_err(|error| SourceError::InvalidPath {
            path: key.to_owned(),
            reason: format!("cannot have these tags: {error}"),
        })?;
        let subject = self.subject(Operation::Tag, bucket, key);
        let set = self.request(&subject, |number| {
            let (subject, tagging) = (&subject, tagging.clone());
            async move {
                let request = self.client.put_object_tagging().bucket(bucket).key(key).tagging(tagging);
                request.send().await.map_err(|error| classify(&error, subject, number))
            }
        });
        set.await.map(|_| ())
    }

    async fn put_empty(&self, bucket: &str, key: &str) -> Result<String, SourceError> {
        let subject = self.subject(Operation::Put, bucket, key);
        let put = self.request(&subject, |number| {
            let subject = &subject;
            async move {
                let request = self.client.put_object().bucket(bucket).key(key);
                let answer = request.body(ByteStream::from_static(b"")).send().await;
                answer.map_err(|error| classify(&error, subject, number))
            }
        });
        Ok(put.await?.e_tag().map(bare_etag).unwrap_or_default().to_owned())
    }
}

fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// For a header that names an object.
fn url_encoded(text: &str) -> String {
    utf8_percent_encode(text, OF_A_HEADER).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::url_decode::percent_decoded;
    use super::*;

    #[test]
    fn any_key_stands_in_a_header() {
        for key in ["a/b.parquet", "a b", "a%3Ab", "ä-日本-😀", "a\nb", "a+b", "a,b\"'"] {
            let encoded = url_encoded(key);
            assert!(
                encoded.bytes().all(|byte| byte.is_ascii_graphic() && !b"+,\"'".contains(&byte)),
                "{encoded}"
            );
            assert_eq!(percent_decoded(&encoded), key);
        }
    }
}
