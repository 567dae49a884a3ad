//! A range of keys without files: as many keys as wanted for the memory of one.

use std::ops::Bound;

use super::object::Object;

/// The keys `{prefix}{i:09}.parquet` for `i` below `count`, all with the same content.
#[derive(Debug, Clone)]
pub(crate) struct KeyRange {
    prefix: String,
    count: u64,
    object: Object,
}

/// Digits of the number in a key; a larger number would break the order of the keys.
const DIGITS: usize = 9;
/// The largest count of keys that keeps the number at nine digits.
pub(crate) const MAX_KEYS: u64 = 1_000_000_000;

impl KeyRange {
    /// A range of at most [`MAX_KEYS`] keys; more are cut off.
    pub fn new(prefix: &str, count: u64, object: Object) -> Self {
        Self { prefix: prefix.to_owned(), count: count.min(MAX_KEYS), object }
    }

    /// The properties that every key of the range has.
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// The key at `index`; None past the end.
    pub fn key(&self, index: u64) -> Option<String> {
        (index < self.count).then(|| format!("{}{index:09}.parquet", self.prefix))
    }

    /// Whether the range has the key.
    pub fn contains(&self, key: &str) -> bool {
        key.strip_prefix(&self.prefix)
            .and_then(|rest| rest.strip_suffix(".parquet"))
            .filter(|digits| digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse::<u64>().ok())
            .is_some_and(|index| index < self.count)
    }

    /// The index of the first key within the lower bound; `count` when all keys lie before it.
    pub fn first_index(&self, lower: Bound<&str>) -> u64 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            let before = self.key(middle).is_some_and(|key| match lower {
                Bound::Included(bound) => key.as_str() < bound,
                Bound::Excluded(bound) => key.as_str() <= bound,
                Bound::Unbounded => false,
            });
            if before {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::object::Content;
    use super::*;

    fn range() -> KeyRange {
        let object = Object {
            size: 1,
            etag: String::new(),
            modified: SystemTime::UNIX_EPOCH,
            content: Content::Zeros,
        };
        KeyRange::new("p/", 1000, object)
    }

    #[test]
    fn bounds_find_their_key() {
        let key = "p/000000007.parquet";
        assert_eq!(range().key(7).as_deref(), Some(key));
        assert_eq!(range().first_index(Bound::Included(key)), 7);
        assert_eq!(range().first_index(Bound::Excluded(key)), 8);
        assert_eq!(range().first_index(Bound::Included("p/00000001")), 10);
        assert_eq!(range().first_index(Bound::Included("q")), 1000);
        assert_eq!(range().first_index(Bound::Unbounded), 0);
    }

    #[test]
    fn only_own_keys_are_contained() {
        assert!(range().contains("p/000000999.parquet"));
        for key in ["p/000001000.parquet", "p/7.parquet", "p/00000000+.parquet", "000000001.parquet"] {
            assert!(!range().contains(key), "{key}");
        }
    }
}
