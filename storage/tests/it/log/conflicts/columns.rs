//! Columns that are added, alone and with rows.

use std::sync::Arc;

use longshore_storage::schema::{Column, TableSchema};
use longshore_storage::table::{
    AlterOutcome, CommitError, CommitOutcome, LoadCommit, LoadMode, OverwriteScope, Table,
};
use longshore_storage::types::DataType;

use super::replay::{lines, seen};
use super::setting::place;
use crate::log::faulty::Faulty;
use crate::log::support::{Place, column, load, load_of};

fn extra(data_type: DataType) -> Column {
    column("extra", data_type, true)
}

#[test]
fn a_column_is_added_once() {
    let (place, mut table) = place();
    let outcome = table.add_columns(&[extra(DataType::DateTime)]).unwrap();
    assert_eq!(outcome, AlterOutcome::Altered { version: 3 });
    let again = place.open().add_columns(&[extra(DataType::DateTime)]).unwrap();
    assert_eq!(again, AlterOutcome::Unchanged { version: 3 });
    let state = seen(&place.root);
    assert_eq!(state.columns.last().unwrap(), &("extra".to_owned(), "DATETIME".to_owned()));
    assert_eq!((state.number("schema"), state.files.len()), (1, 3));
    let lines = lines(&place.root, 3).unwrap();
    assert_eq!(lines[0]["commitInfo"]["operation"], "ADD COLUMNS");
    assert!(!lines.iter().any(|line| line.get("protocol").is_some()), "the first version has the feature");
    // The rows that are there, and a checkpoint, go on with it.
    table.checkpoint().unwrap();
    load(&mut table, "more", 1);
    assert_eq!(place.open().schema().columns().len(), 4);
}

#[test]
fn a_column_with_another_type_is_refused_by_name() {
    let (place, mut table) = place();
    table.add_columns(&[extra(DataType::Int)]).unwrap();
    let error = place.open().add_columns(&[extra(DataType::String)]).unwrap_err();
    assert_eq!(error.category(), "ColumnConflict");
    assert!(error.to_string().contains("column extra is INT in the table"), "{error}");
    assert_eq!(seen(&place.root).number("schema"), 1);
    let strict = table.add_columns(&[column("strict", DataType::Int, false)]).unwrap_err();
    assert_eq!(strict.category(), "InvalidDefinition");
}

/// Adds a column while another writer adds `theirs`, between decision and commit.
fn added_beside(theirs: Column) -> (Place, Result<AlterOutcome, CommitError>) {
    let (place, _) = place();
    let (faulty, files) = Faulty::shared();
    let mut table = Table::open(files, &place.root).unwrap();
    let mut other = place.open();
    faulty.pause_at("link .00000000", move || {
        other.add_columns(&[theirs]).unwrap();
    });
    let outcome = table.add_columns(&[extra(DataType::Int)]);
    (place, outcome)
}

#[test]
fn columns_of_two_writers_both_come() {
    let (place, outcome) = added_beside(column("theirs", DataType::Date, true));
    assert_eq!(outcome.unwrap(), AlterOutcome::Altered { version: 4 });
    let state = seen(&place.root);
    assert_eq!((state.columns.len(), state.number("schema")), (5, 2));

    let (place, outcome) = added_beside(column("Extra", DataType::Int, true));
    assert_eq!(outcome.unwrap(), AlterOutcome::Unchanged { version: 3 });
    assert_eq!(seen(&place.root).columns.len(), 4);

    let (place, outcome) = added_beside(extra(DataType::Double));
    assert_eq!(outcome.unwrap_err().category(), "ColumnConflict");
    assert_eq!(seen(&place.root).columns.len(), 4);
}

/// A load that brings a column while another writer adds `theirs` between its decision and its commit.
fn loaded_beside(theirs: Option<Column>) -> (Place, Result<CommitOutcome, CommitError>) {
    let (place, _) = place();
    let (faulty, files) = Faulty::shared();
    let mut table = Table::open(files, &place.root).unwrap();
    let claim = table.claim("l", 1).unwrap();
    let mut load = load_of(&table, &claim, 1);
    let mut definition = table.schema().definition().clone();
    definition.columns.push(extra(DataType::Int));
    load.schema = Arc::new(TableSchema::new(definition));
    load.new_columns = vec![extra(DataType::Int)];
    if let Some(theirs) = theirs {
        let mut other = place.open();
        faulty.pause_at("link .00000000", move || {
            other.add_columns(&[theirs]).unwrap();
        });
    }
    let outcome = table.commit_load(&claim, load);
    (place, outcome)
}

#[test]
fn a_load_brings_its_column_in_the_same_commit() {
    let (place, outcome) = loaded_beside(None);
    assert_eq!(outcome.unwrap(), CommitOutcome::Committed { version: 4 });
    let lines = lines(&place.root, 4).unwrap();
    assert!(lines.iter().any(|line| line.get("metaData").is_some()));
    assert!(lines.iter().any(|line| line.get("add").is_some()));
    let schema = lines.iter().find_map(|line| line.pointer("/metaData/schemaString")).unwrap();
    assert!(schema.as_str().unwrap().contains(r#""longshore.origin":"Drift""#), "{schema}");
    let state = seen(&place.root);
    assert_eq!((state.columns.len(), state.files.len()), (4, 4));
}

#[test]
fn a_load_with_a_column_minds_what_came_meanwhile() {
    // The same: nothing is left to add.
    let (place, outcome) = loaded_beside(Some(extra(DataType::Int)));
    assert_eq!(outcome.unwrap(), CommitOutcome::Committed { version: 5 });
    assert!(!lines(&place.root, 5).unwrap().iter().any(|line| line.get("metaData").is_some()));
    assert_eq!(seen(&place.root).columns.len(), 4);
    // Another: both.
    let (place, outcome) = loaded_beside(Some(column("theirs", DataType::Int, true)));
    outcome.unwrap();
    let columns: Vec<String> = seen(&place.root).columns.into_iter().map(|(name, _)| name).collect();
    assert_eq!(columns[3..], ["theirs", "extra"]);
    // The same name, another type: the load fails, and leaves nothing.
    let (place, outcome) = loaded_beside(Some(extra(DataType::String)));
    assert_eq!(outcome.unwrap_err().category(), "ColumnConflict");
    let state = seen(&place.root);
    assert_eq!((state.columns.len(), state.files.len()), (4, 3));
    assert_eq!(std::fs::read_dir(place.root.join("_longshore/history")).unwrap().count(), 1);
}

#[test]
fn an_append_goes_on_over_an_added_column() {
    let (place, mut table) = place();
    let claim = table.claim("l", 1).unwrap();
    let load = load_of(&table, &claim, 1);
    place.open().add_columns(&[extra(DataType::Int)]).unwrap();
    assert_eq!(table.commit_load(&claim, load).unwrap(), CommitOutcome::Committed { version: 5 });
    assert_eq!(table.schema().columns().len(), 4);
    assert_eq!(seen(&place.root).files.len(), 4);
}

/// Commits the table's metaData with a change, as another engine would.
fn redefine(place: &Place, from: &str, to: &str) {
    let first = std::fs::read_to_string(place.commit(0)).unwrap();
    let metadata = first.lines().find(|line| line.starts_with("{\"metaData\"")).unwrap();
    let changed = metadata.replacen(from, to, 1);
    assert_ne!(changed, metadata);
    let version = place.open().version() + 1;
    std::fs::write(place.commit(version), format!("{changed}\n")).unwrap();
}

#[test]
fn rows_do_not_go_into_a_table_that_was_redefined_meanwhile() {
    let changes = [
        // NULL is not taken any more.
        (r#"\"name\":\"BehaviorType\",\"nullable\":true"#, r#"\"name\":\"BehaviorType\",\"nullable\":false"#),
        // A column has another name, so the one that was written is gone.
        (r#"\"name\":\"BehaviorType\""#, r#"\"name\":\"Behavior\""#),
        // Rows are spread otherwise.
        (r#"\"buckets\":4"#, r#"\"buckets\":5"#),
    ];
    for (from, to) in changes {
        for mode in [LoadMode::Append, LoadMode::Overwrite(OverwriteScope::Table)] {
            let (place, mut table) = place();
            let claim = table.claim("l", 1).unwrap();
            let load = LoadCommit { mode, ..load_of(&table, &claim, 1) };
            redefine(&place, from, to);
            let error = table.commit_load(&claim, load).unwrap_err();
            assert_eq!(error.category(), "SchemaChanged", "{to}");
            assert_eq!(place.open().segments().unwrap().len(), 3);
        }
    }
}
