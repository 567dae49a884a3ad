//! One page of a listing: prefix, delimiter, position and limit over an ordered index.

use std::ops::Bound;

use super::bucket::Bucket;
use super::object::Object;

/// Where a listing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Position {
    /// At the first key.
    Start,
    /// Behind this key.
    Key(String),
    /// Behind all keys with this prefix.
    Prefix(String),
}

impl Position {
    /// The position as a continuation token: opaque to clients, as on S3.
    pub fn to_token(&self) -> String {
        match self {
            Self::Start => "s".to_owned(),
            Self::Key(key) => format!("k{}", hex::encode(key)),
            Self::Prefix(prefix) => format!("p{}", hex::encode(prefix)),
        }
    }

    /// Reads a token; None if it is not one of ours.
    pub fn from_token(token: &str) -> Option<Self> {
        let text = |digits: &str| String::from_utf8(hex::decode(digits).ok()?).ok();
        match token.split_at_checked(1)? {
            ("s", "") => Some(Self::Start),
            ("k", digits) => Some(Self::Key(text(digits)?)),
            ("p", digits) => Some(Self::Prefix(text(digits)?)),
            _ => None,
        }
    }
}

/// What to list.
#[derive(Debug, Clone)]
pub(crate) struct ListRequest<'a> {
    pub prefix: &'a str,
    pub delimiter: Option<&'a str>,
    pub position: Position,
    pub max_keys: usize,
}

/// A page: keys with their objects, common prefixes, and where the next page begins, if there is one.
#[derive(Debug, Default)]
pub(crate) struct ListPage {
    pub objects: Vec<(String, Object)>,
    pub common_prefixes: Vec<String>,
    pub next: Option<Position>,
}

/// Lists one page; its cost does not depend on the keys outside it.
pub(crate) fn list(bucket: &Bucket, request: &ListRequest<'_>) -> ListPage {
    let mut page = ListPage::default();
    if request.max_keys == 0 {
        return page;
    }
    let Some(mut lower) = first_bound(request) else { return page };
    let mut last = Position::Start;
    'seek: loop {
        for (key, object) in bucket.seek(lower.as_ref().map(String::as_str)) {
            if !key.starts_with(request.prefix) {
                return page;
            }
            if page.objects.len() + page.common_prefixes.len() == request.max_keys {
                page.next = Some(last);
                return page;
            }
            let Some(common) = common_prefix(&key, request) else {
                last = Position::Key(key.clone());
                page.objects.push((key, object.clone()));
                continue;
            };
            page.common_prefixes.push(common.clone());
            let Some(behind) = behind_prefix(&common) else { return page };
            last = Position::Prefix(common);
            lower = Bound::Included(behind);
            continue 'seek;
        }
        return page;
    }
}

fn first_bound(request: &ListRequest<'_>) -> Option<Bound<String>> {
    let prefix = request.prefix;
    Some(match &request.position {
        Position::Key(key) if key.as_str() >= prefix => Bound::Excluded(key.clone()),
        Position::Prefix(common) => Bound::Included(behind_prefix(common)?.max(prefix.to_owned())),
        Position::Start | Position::Key(_) => Bound::Included(prefix.to_owned()),
    })
}

fn common_prefix(key: &str, request: &ListRequest<'_>) -> Option<String> {
    let delimiter = request.delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let rest = key.get(request.prefix.len()..)?;
    let end = request.prefix.len() + rest.find(delimiter)? + delimiter.len();
    Some(key[..end].to_owned())
}

/// The least string above all strings that begin with `prefix`; None if there is none.
fn behind_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // A range of characters steps over the surrogates; UTF-8 sorts like its characters.
        if let Some(next) = (last..=char::MAX).nth(1) {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::SystemTime;

    use proptest::prelude::*;

    use super::super::key_range::KeyRange;
    use super::super::object::Content;
    use super::*;

    fn object() -> Object {
        Object { size: 1, etag: "e".into(), modified: SystemTime::UNIX_EPOCH, content: Content::Zeros }
    }

    fn bucket(keys: &[&str]) -> Bucket {
        let mut bucket = Bucket::default();
        for key in keys {
            bucket.insert((*key).to_owned(), object());
        }
        bucket
    }

    /// All pages: keys and common prefixes in the order of the pages.
    fn all(bucket: &Bucket, prefix: &str, delimiter: Option<&str>, max_keys: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut position = Position::Start;
        loop {
            let page = list(bucket, &ListRequest { prefix, delimiter, position, max_keys });
            found.extend(page.objects.into_iter().map(|(key, _)| key));
            found.extend(page.common_prefixes);
            let Some(next) = page.next else { return found };
            position = Position::from_token(&next.to_token()).unwrap();
        }
    }

    const KEYS: &[&str] = &["a", "a b", "a%3A", "a+", "a,b", "a/b", "a/b/c", "a/c/", "a\u{e4}", "b/1", "b/2"];

    #[test]
    fn pages_of_any_size_give_the_same() {
        let bucket = bucket(KEYS);
        let mut sorted: Vec<&str> = KEYS.to_vec();
        sorted.sort_unstable();
        for max_keys in 1..12 {
            assert_eq!(all(&bucket, "", None, max_keys), sorted, "{max_keys}");
            let mut grouped = all(&bucket, "", Some("/"), max_keys);
            grouped.sort_unstable();
            assert_eq!(grouped, ["a", "a b", "a%3A", "a+", "a,b", "a/", "a\u{e4}", "b/"], "{max_keys}");
            assert_eq!(all(&bucket, "a/", Some("/"), 1), ["a/b", "a/b/", "a/c/"]);
        }
    }

    #[test]
    fn a_key_before_the_prefix_starts_at_the_prefix() {
        let bucket = bucket(KEYS);
        let position = Position::Key("a".into());
        let page = list(&bucket, &ListRequest { prefix: "b/", delimiter: None, position, max_keys: 10 });
        assert_eq!(page.objects.len(), 2);
    }

    #[test]
    fn ranges_and_objects_merge_in_order() {
        let mut bucket = bucket(&["r/000000001.parquet", "r/000000001.parquet2", "z"]);
        bucket.add_range(KeyRange::new("r/", 3, object()));
        bucket.add_range(KeyRange::new("r/", 2, object()));
        let expected = [
            "r/000000000.parquet",
            "r/000000001.parquet",
            "r/000000001.parquet2",
            "r/000000002.parquet",
            "z",
        ];
        for max_keys in 1..6 {
            assert_eq!(all(&bucket, "", None, max_keys), expected);
        }
    }

    #[test]
    fn behind_a_prefix_lies_the_next_character() {
        assert_eq!(behind_prefix("a/").as_deref(), Some("a0"));
        assert_eq!(behind_prefix("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(behind_prefix("\u{D7FF}").as_deref(), Some("\u{E000}"));
        assert_eq!(behind_prefix("\u{10FFFF}"), None);
    }

    #[test]
    fn foreign_tokens_are_refused() {
        for token in ["", "x", "kzz", "s1", "\u{e4}"] {
            assert_eq!(Position::from_token(token), None, "{token}");
        }
    }

    /// What all pages together must show, told the plain way.
    fn model(keys: &BTreeSet<String>, prefix: &str, delimiter: Option<&str>) -> BTreeSet<String> {
        let fold = |key: &String| {
            let rest = &key[prefix.len()..];
            let end = delimiter.and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()));
            end.map_or(key.clone(), |end| key[..prefix.len() + end].to_owned())
        };
        keys.iter().filter(|key| key.starts_with(prefix)).map(fold).collect()
    }

    proptest! {
        #[test]
        fn pages_show_each_name_once_whatever_keys_and_limits(
            keys in proptest::collection::btree_set("[ab/\u{e4}]{1,5}", 0..40),
            prefix in "[ab/]{0,2}",
            delimiter in proptest::option::of("[/b]{1,2}"),
            max_keys in 1_usize..6,
        ) {
            let names: Vec<&str> = keys.iter().map(String::as_str).collect();
            let mut found = all(&bucket(&names), &prefix, delimiter.as_deref(), max_keys);
            found.sort_unstable();
            let expected: Vec<String> = model(&keys, &prefix, delimiter.as_deref()).into_iter().collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn start_after_shows_exactly_the_keys_behind(
            keys in proptest::collection::btree_set("[ab/]{1,4}", 0..30),
            after in "[ab/]{1,4}",
        ) {
            let names: Vec<&str> = keys.iter().map(String::as_str).collect();
            let position = Position::Key(after.clone());
            let page = list(&bucket(&names), &ListRequest { prefix: "", delimiter: None, position, max_keys: 100 });
            let found: Vec<String> = page.objects.into_iter().map(|(key, _)| key).collect();
            let expected: Vec<String> = keys.into_iter().filter(|key| *key > after).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
