//! Values that stand in a key as `name=value/`.

use crate::source::percent_decoded;

/// What Hive writes for NULL.
const HIVE_NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// A value in a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathValue {
    /// The percent-decoded text.
    Text(String),
    /// Hive's name for NULL.
    Null,
    /// No folder of the key has this name.
    Missing,
}

/// The value of `name` in the folders of `key`: of two the first. Names are compared with their case, as they
/// are part of the key.
pub fn path_value(key: &str, name: &str) -> PathValue {
    let folders = key.rsplit_once('/').map_or("", |(folders, _)| folders);
    let found = folders.split('/').find_map(|folder| {
        let (found, value) = folder.split_once('=')?;
        (found == name || percent_decoded(found) == name).then_some(value)
    });
    match found {
        None => PathValue::Missing,
        Some(HIVE_NULL) => PathValue::Null,
        Some(value) => PathValue::Text(percent_decoded(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a29_values_are_folders_and_decoded() {
        let text = |text: &str| PathValue::Text(text.to_owned());
        assert_eq!(path_value("a/dt=2024-01-01/hour=10%3A30/f.csv", "dt"), text("2024-01-01"));
        assert_eq!(path_value("a/dt=2024-01-01/hour=10%3A30/f.csv", "hour"), text("10:30"));
        assert_eq!(path_value("dt=1/dt=2/f.csv", "dt"), text("1"));
        assert_eq!(path_value("DT=1/f.csv", "dt"), PathValue::Missing);
        assert_eq!(path_value("a/dt=1.csv", "dt"), PathValue::Missing);
        assert_eq!(path_value("dt=/f", "dt"), text(""));
        assert_eq!(path_value("dt=__HIVE_DEFAULT_PARTITION__/f", "dt"), PathValue::Null);
        assert_eq!(path_value("dt=a%2Fb=c/f", "dt"), text("a/b=c"));
        assert_eq!(path_value("dt=100%/f", "dt"), text("100%"));
        assert_eq!(path_value("dt=%ff/f", "dt"), text("%ff"));
        assert_eq!(path_value("dt=a+b/f", "dt"), text("a+b"));
    }
}
