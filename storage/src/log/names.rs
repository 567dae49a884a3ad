//! Names in `_delta_log`.

/// The hint at the newest checkpoint.
pub(crate) const LAST_CHECKPOINT: &str = "_last_checkpoint";

/// Name of the file of a version.
pub(crate) fn commit_name(version: u64) -> String {
    format!("{version:020}.json")
}

/// Name of the checkpoint of a version.
pub(crate) fn checkpoint_name(version: u64) -> String {
    format!("{version:020}.checkpoint.parquet")
}

/// What a name in the log stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogName {
    /// A commit.
    Commit(u64),
    /// A checkpoint in one file.
    Checkpoint(u64),
    /// A temporary file, the hint, or something of another engine.
    Other,
}

impl LogName {
    /// Reads a name.
    pub(crate) fn parse(name: &str) -> Self {
        let Some((digits, suffix)) = name.split_at_checked(20) else { return Self::Other };
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Self::Other;
        }
        let Ok(version) = digits.parse() else { return Self::Other };
        match suffix {
            ".json" => Self::Commit(version),
            ".checkpoint.parquet" => Self::Checkpoint(version),
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        assert_eq!(LogName::parse(&commit_name(7)), LogName::Commit(7));
        assert_eq!(LogName::parse(&checkpoint_name(70)), LogName::Checkpoint(70));
        for other in
            ["_last_checkpoint", "7.json", ".00000000000000000007.json.x.tmp", "+0000000000000000007.json"]
        {
            assert_eq!(LogName::parse(other), LogName::Other, "{other}");
        }
        assert_eq!(
            LogName::parse("00000000000000000007.checkpoint.0000000001.0000000002.parquet"),
            LogName::Other
        );
    }
}
