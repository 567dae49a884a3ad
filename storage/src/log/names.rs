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
    /// A checkpoint of a kind that only other engines write.
    ForeignCheckpoint(u64, ForeignKind),
    /// A temporary file, the hint, or something of another engine.
    Other,
}

/// Kinds of checkpoints that are not read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForeignKind {
    /// One of several parts: `<version>.checkpoint.<part>.<parts>.parquet`.
    Part,
    /// `<version>.checkpoint.<uuid>.json` or `.parquet`.
    V2,
}

impl ForeignKind {
    /// As a message names it.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Part => "a checkpoint in several parts",
            Self::V2 => "a V2 checkpoint (v2Checkpoint)",
        }
    }

    /// What stands between `<version>.checkpoint.` and the end of the name.
    fn parse(rest: &str) -> Option<Self> {
        let (middle, _) = rest.rsplit_once('.').filter(|(_, end)| ["parquet", "json"].contains(end))?;
        let is_number = |text: &str| text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit());
        let is_part = middle.split_once('.').is_some_and(|(part, of)| is_number(part) && is_number(of));
        Some(if is_part { Self::Part } else { Self::V2 })
    }
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
            _ => suffix
                .strip_prefix(".checkpoint.")
                .and_then(ForeignKind::parse)
                .map_or(Self::Other, |kind| Self::ForeignCheckpoint(version, kind)),
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
    }

    #[test]
    fn checkpoints_of_other_kinds_are_known_by_their_names() {
        let parse = |rest: &str| LogName::parse(&format!("00000000000000000007.checkpoint.{rest}"));
        let foreign = |kind| LogName::ForeignCheckpoint(7, kind);
        assert_eq!(parse("0000000001.0000000002.parquet"), foreign(ForeignKind::Part));
        for uuid in
            ["80a083e8-7026-4e79-81be-64bd76c43a11.json", "80a083e8-7026-4e79-81be-64bd76c43a11.parquet"]
        {
            assert_eq!(parse(uuid), foreign(ForeignKind::V2));
        }
        for other in ["80a083e8.crc", "0000000001.0000000002.parquet.tmp"] {
            assert_eq!(parse(other), LogName::Other, "{other}");
        }
    }
}
