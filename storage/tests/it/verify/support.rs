//! A table of real rows, and what verify finds in it.

use longshore_storage::table::{LoadMode, OverwriteScope, Table};
use longshore_storage::tablet::WriterOptions;
use longshore_storage::verify::{Finding, Severity, VerifyOptions, VerifyOutcome};

use crate::compact::support::{Place, compact, load, load_with, narrow, narrow_rows, narrow_table};

/// Loads, a compaction, an overwrite, two checkpoints and folded history.
pub fn eventful() -> (Place, Table) {
    let (place, mut table) = narrow_table(3, 500);
    compact(&mut table).unwrap();
    table.checkpoint().unwrap();
    let schema = narrow();
    let rows = [narrow_rows(&schema, 0, 300)];
    let overwrite = LoadMode::Overwrite(OverwriteScope::Table);
    load_with(&mut table, "overwrite", WriterOptions::default(), &rows, overwrite);
    table.fold_history().unwrap();
    load(&mut table, "more", WriterOptions::default(), &[narrow_rows(&schema, 300, 200)]);
    table.checkpoint().unwrap();
    load(&mut table, "last", WriterOptions::default(), &[narrow_rows(&schema, 500, 100)]);
    (place, table)
}

pub fn verify(place: &Place, full: bool) -> (VerifyOutcome, Vec<Finding>) {
    let mut findings = Vec::new();
    let outcome =
        place.open().verify(&VerifyOptions { full }, &mut |finding| findings.push(finding.clone())).unwrap();
    (outcome, findings)
}

/// The one error that is found, with its file.
pub fn error(place: &Place, full: bool) -> (String, String) {
    let (outcome, findings) = verify(place, full);
    let errors: Vec<_> = findings.iter().filter(|finding| finding.severity == Severity::Error).collect();
    assert_eq!(outcome.errors, errors.len() as u64);
    assert!(!outcome.is_sound() && errors.len() == 1, "{findings:#?}");
    assert!(!errors[0].advice.is_empty());
    (errors[0].file.clone(), errors[0].what.clone())
}

/// Changes the text of a commit.
pub fn change_commit(place: &Place, version: u64, change: impl Fn(&str) -> String) {
    let path = place.root.join(format!("_delta_log/{version:020}.json"));
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = change(&text);
    assert_ne!(text, changed);
    std::fs::write(path, changed).unwrap();
}
