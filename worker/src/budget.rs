//! The memory budget of a worker: a share of its container's limit.

use std::path::Path;

/// What a worker takes where no limit is set. Bytes.
pub const DEFAULT_BUDGET: u64 = 1 << 30;

/// Share of the limit that is ours: the page cache and the runtime need the rest (design §4).
const TENTHS_OF_LIMIT: u64 = 6;

/// A limit above this is no limit: cgroup v1 writes a huge number for "none". Bytes.
const NO_LIMIT: u64 = 1 << 50;

/// 0.6 of the memory limit of the cgroup, or [`DEFAULT_BUDGET`].
pub fn of_this_container() -> u64 {
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|file| std::fs::read_to_string(Path::new(file)).ok())
        .and_then(|text| of_limit(&text))
        .unwrap_or(DEFAULT_BUDGET)
}

/// The budget for a limit as the kernel writes it; `None`: no limit.
fn of_limit(text: &str) -> Option<u64> {
    let limit: u64 = text.trim().parse().ok()?;
    (limit < NO_LIMIT).then_some(limit / 10 * TENTHS_OF_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_gives_six_tenths_and_none_gives_none() {
        assert_eq!(of_limit("1000000000\n"), Some(600_000_000));
        assert_eq!(of_limit("max\n"), None);
        assert_eq!(of_limit("9223372036854771712\n"), None);
    }
}
