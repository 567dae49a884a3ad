//! How long property tests look for failures.

use proptest::test_runner::Config;

/// `cases` of a test, a short pass; as many as `PROPTEST_CASES` says where it is set (`make fuzz`). Failing
/// inputs are kept in `proptest-regressions/` beside the sources and tried first from then on.
pub(crate) fn config(cases: u32) -> Config {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => Config::default(),
        None => Config::with_cases(cases),
    }
}
