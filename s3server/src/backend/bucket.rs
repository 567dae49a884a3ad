//! The keys of one bucket in order.

use std::collections::BTreeMap;
use std::collections::btree_map;
use std::iter::Peekable;
use std::ops::Bound;

use super::key_range::KeyRange;
use super::object::Object;

/// An ordered index of a bucket's keys: objects with files and ranges without.
#[derive(Debug, Default)]
pub(crate) struct Bucket {
    objects: BTreeMap<String, Object>,
    ranges: Vec<KeyRange>,
}

impl Bucket {
    /// The object of a key; an object of its own goes before one of a range.
    pub fn get(&self, key: &str) -> Option<&Object> {
        self.objects
            .get(key)
            .or_else(|| self.ranges.iter().find(|range| range.contains(key)).map(KeyRange::object))
    }

    /// Puts an object and gives back the one it replaces.
    pub fn insert(&mut self, key: String, object: Object) -> Option<Object> {
        self.objects.insert(key, object)
    }

    /// Removes an object that has a file.
    pub fn remove(&mut self, key: &str) -> Option<Object> {
        self.objects.remove(key)
    }

    /// Adds a range of keys without files.
    pub fn add_range(&mut self, range: KeyRange) {
        self.ranges.push(range);
    }

    /// The objects that have a file, in the order of their keys.
    pub fn objects(&self) -> impl Iterator<Item = (&String, &Object)> {
        self.objects.iter()
    }

    /// A cursor over all keys from `lower` on.
    pub fn seek(&self, lower: Bound<&str>) -> Cursor<'_> {
        let heads = self
            .ranges
            .iter()
            .map(|range| {
                let index = range.first_index(lower);
                RangeHead { range, index, key: range.key(index) }
            })
            .collect();
        let objects = self.objects.range::<str, _>((lower, Bound::Unbounded)).peekable();
        Cursor { objects, heads }
    }
}

/// Merges objects and ranges in the order of their keys.
pub(crate) struct Cursor<'a> {
    objects: Peekable<btree_map::Range<'a, String, Object>>,
    heads: Vec<RangeHead<'a>>,
}

struct RangeHead<'a> {
    range: &'a KeyRange,
    index: u64,
    key: Option<String>,
}

impl RangeHead<'_> {
    fn advance(&mut self) -> Option<String> {
        self.index += 1;
        std::mem::replace(&mut self.key, self.range.key(self.index))
    }
}

impl<'a> Iterator for Cursor<'a> {
    type Item = (String, &'a Object);

    fn next(&mut self) -> Option<Self::Item> {
        let least_head = self.heads.iter().filter_map(|head| head.key.as_deref()).min();
        let object = match (self.objects.peek(), least_head) {
            (Some((key, _)), Some(head)) => key.as_str() <= head,
            (object, _) => object.is_some(),
        };
        let (key, found) = if object {
            let (key, found) = self.objects.next()?;
            (key.clone(), found)
        } else {
            let least =
                self.heads.iter_mut().filter(|head| head.key.is_some()).min_by(|a, b| a.key.cmp(&b.key))?;
            (least.advance()?, least.range.object())
        };
        // A key that stands in several sources is given once.
        for head in &mut self.heads {
            if head.key.as_deref() == Some(key.as_str()) {
                head.advance();
            }
        }
        Some((key, found))
    }
}
