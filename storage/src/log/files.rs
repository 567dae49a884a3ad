//! The files of a version: those of the checkpoint, less what was removed since, plus what was added since.
//!
//! Streamed in two passes over the commits since the checkpoint: the first learns which paths they touch
//! last, the second gives the files. So what is in memory are the touched paths, not the table.

use std::collections::{BTreeMap, HashMap};

use super::actions::{Add, Remove};
use super::checkpoint;
use super::error::TableError;
use super::head::Head;
use crate::load::Segment;

/// Tags of our files.
const PARTITION_TAG: &str = "longshore.partition";
/// A JSON object: values by column, as text or null. Not there where it would be empty.
const PARTITION_VALUES_TAG: &str = "longshore.partitionValues";
const BUCKET_TAG: &str = "longshore.bucket";
const LOAD_TAG: &str = "longshore.load";

/// How the commits since the checkpoint touch a path last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    AddedIn(u64),
    RemovedIn(u64),
}

/// The paths that the commits since the checkpoint touch.
pub(crate) struct Touched(HashMap<Box<str>, Touch>);

impl Head {
    /// To be called after the commits since the checkpoint were read by name: names below the second newest
    /// checkpoint may have been cleaned, and taken again by a writer that was paused.
    pub(crate) fn check_not_expired(&self) -> Result<(), TableError> {
        if self.log().list()?.second_newest_checkpoint() > Some(self.tail().start) {
            let path = self.log().path().to_owned();
            return Err(TableError::SnapshotExpired { path, version: self.version() });
        }
        Ok(())
    }

    /// What was read of a version whose commits, or whose checkpoint, are gone by now is no damage.
    fn unless_expired<T>(&self, read: Result<T, TableError>) -> Result<T, TableError> {
        if read.is_err() {
            self.check_not_expired()?;
        }
        read
    }

    /// Learns which paths were touched since the checkpoint.
    pub(crate) fn touched(&self) -> Result<Touched, TableError> {
        self.unless_expired(self.read_touched())
    }

    fn read_touched(&self) -> Result<Touched, TableError> {
        let mut touched = HashMap::new();
        for version in self.tail() {
            self.log().for_each_action(version, |action| {
                if let Some(remove) = action.remove {
                    touched.insert(remove.path.into_boxed_str(), Touch::RemovedIn(version));
                }
                if let Some(add) = action.add {
                    self.refuse_deletion_vector(&add)?;
                    touched.insert(add.path.into_boxed_str(), Touch::AddedIn(version));
                }
                Ok(())
            })?;
        }
        Ok(Touched(touched))
    }

    /// A file of which rows are deleted cannot be read here.
    pub(crate) fn refuse_deletion_vector(&self, add: &Add) -> Result<(), TableError> {
        if add.deletion_vector.is_none() {
            return Ok(());
        }
        let feature = "deletion vectors".to_owned();
        Err(TableError::UnsupportedFeature { path: self.root().to_owned(), feature })
    }

    /// Gives every file of this version.
    pub(crate) fn visit_files(
        &self,
        touched: &Touched,
        visit: impl FnMut(Add) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        self.unless_expired(self.read_files(touched, visit))
    }

    fn read_files(
        &self,
        touched: &Touched,
        mut visit: impl FnMut(Add) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        if let Some(base) = self.checkpoint() {
            checkpoint::visit_adds(self.log(), base.version, |adds| {
                adds.into_iter()
                    .filter(|add| !touched.0.contains_key(add.path.as_str()))
                    .try_for_each(&mut visit)
            })?;
        }
        for version in self.tail() {
            self.log().for_each_action(version, |action| match action.add {
                Some(add) if touched.0.get(add.path.as_str()) == Some(&Touch::AddedIn(version)) => visit(add),
                _ => Ok(()),
            })?;
        }
        Ok(())
    }

    /// Gives every file that was removed and may still be read by someone. Its instant is not before the
    /// remove was visible: from then on no reader opens a snapshot with the file.
    pub(crate) fn visit_removed(
        &self,
        touched: &Touched,
        mut visit: impl FnMut(Remove) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        let mut since = None;
        self.visit_removed_as_written(touched, |mut remove, version| {
            if let Some(version) = version {
                let known = since.filter(|(of, _)| *of == version);
                let (_, visible) = match known {
                    Some(known) => known,
                    None => *since.insert((version, self.unless_expired(self.log().visible_since(version))?)),
                };
                remove.deletion_timestamp = remove.deletion_timestamp.max(Some(visible));
            }
            visit(remove)
        })
    }

    /// The same with the instants that stand in the log, and the version of those that no checkpoint holds.
    pub(crate) fn visit_removed_as_written(
        &self,
        touched: &Touched,
        visit: impl FnMut(Remove, Option<u64>) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        self.unless_expired(self.read_removed(touched, visit))
    }

    fn read_removed(
        &self,
        touched: &Touched,
        mut visit: impl FnMut(Remove, Option<u64>) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        if let Some(base) = self.checkpoint() {
            checkpoint::visit_removes(self.log(), base.version, |removes| {
                let mut removes = removes.into_iter().filter(|r| !touched.0.contains_key(r.path.as_str()));
                removes.try_for_each(|remove| visit(remove, None))
            })?;
        }
        for version in self.tail() {
            self.log().for_each_action(version, |action| match action.remove {
                Some(remove) if touched.0.get(remove.path.as_str()) == Some(&Touch::RemovedIn(version)) => {
                    visit(remove, Some(version))
                }
                _ => Ok(()),
            })?;
        }
        Ok(())
    }
}

/// What a commit says of a segment; of which load it is, if of one.
pub(crate) fn add_of(segment: &Segment, label: Option<&str>) -> Add {
    let mut tags = BTreeMap::from([
        (PARTITION_TAG.to_owned(), Some(segment.partition.clone())),
        (BUCKET_TAG.to_owned(), Some(segment.bucket.to_string())),
    ]);
    if !segment.partition_values.is_empty() {
        let values = serde_json::json!(segment.partition_values).to_string();
        tags.insert(PARTITION_VALUES_TAG.to_owned(), Some(values));
    }
    if let Some(label) = label {
        tags.insert(LOAD_TAG.to_owned(), Some(label.to_owned()));
    }
    Add {
        path: segment.path.clone(),
        partition_values: BTreeMap::new(),
        size: segment.bytes.cast_signed(),
        modification_time: segment.modified_ms,
        data_change: true,
        stats: (!segment.stats.is_empty()).then(|| segment.stats.clone()),
        tags: Some(tags),
        deletion_vector: None,
    }
}

/// What a commit says of a file that goes out now.
pub(crate) fn remove_of(add: &Add, deletion_timestamp: i64, data_change: bool) -> Remove {
    Remove {
        path: add.path.clone(),
        deletion_timestamp: Some(deletion_timestamp),
        data_change,
        extended_file_metadata: Some(true),
        partition_values: Some(add.partition_values.clone()),
        size: Some(add.size),
        tags: add.tags.clone(),
    }
}

/// The partition of a file of ours; `None`: another engine wrote it, it is in no tablet.
pub(crate) fn partition_of(add: &Add) -> Option<&str> {
    add.tags.as_ref()?.get(PARTITION_TAG)?.as_deref()
}

/// The segment that an `add` names. A file of another engine has no tablet.
pub(crate) fn segment_of(add: Add) -> Segment {
    let mut tags = add.tags.unwrap_or_default();
    let mut tag = |name: &str| tags.remove(name).flatten();
    let stats = add.stats.unwrap_or_default();
    Segment {
        partition: tag(PARTITION_TAG).unwrap_or_default(),
        partition_values: tag(PARTITION_VALUES_TAG)
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default(),
        bucket: tag(BUCKET_TAG).and_then(|text| text.parse().ok()).unwrap_or(Segment::NO_BUCKET),
        rows: rows_of(&stats),
        bytes: add.size.cast_unsigned(),
        modified_ms: add.modification_time,
        path: decode_path(&add.path),
        stats,
    }
}

/// Rows, as the statistics say; 0: they do not.
pub(crate) fn rows_of(stats: &str) -> u64 {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Rows {
        num_records: u64,
    }
    serde_json::from_str::<Rows>(stats).map_or(0, |rows| rows.num_records)
}

/// Takes percent-encoding off (ours has none: our paths are plain ASCII).
pub(crate) fn decode_path(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> Segment {
        Segment {
            path: "b-00001/x.parquet".to_owned(),
            partition: "p1".to_owned(),
            partition_values: BTreeMap::from([("a".to_owned(), None)]),
            bucket: 1,
            rows: 3,
            bytes: 10,
            modified_ms: 5,
            stats: r#"{"numRecords":3}"#.to_owned(),
        }
    }

    #[test]
    fn a_segment_survives_the_log() {
        assert_eq!(segment_of(add_of(&segment(), Some("l"))), segment());
    }

    proptest::proptest! {
        #[test]
        fn partition_values_survive_the_log(
            values: BTreeMap<String, Option<String>>,
            repeated in ("[\"\n\u{0}'\\\\=🦀]", 1usize..10_000),
        ) {
            let (text, times) = repeated;
            let mut segment = segment();
            segment.partition_values = values;
            segment.partition_values.insert("long".to_owned(), Some(text.repeat(times)));
            let line = serde_json::to_string(&add_of(&segment, Some("l"))).unwrap();
            proptest::prop_assert!(!line.contains('\n'));
            proptest::prop_assert_eq!(segment_of(serde_json::from_str(&line).unwrap()), segment);
        }
    }

    #[test]
    fn a_file_of_another_engine_has_no_bucket_and_its_path_is_decoded() {
        let mut add = add_of(&segment(), Some("l"));
        add.tags = None;
        add.path = "a%20b%C3%A4%zz.parquet".to_owned();
        let read = segment_of(add);
        assert_eq!(read.path, "a bä%zz.parquet");
        assert_eq!(read.bucket, Segment::NO_BUCKET);
    }
}
