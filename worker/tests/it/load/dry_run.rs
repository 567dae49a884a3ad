//! Dry runs: they say what the load would do, and touch nothing but their report.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use longshore_crds::{DryRun, LoadReport, LoadRequest, OnFileError, Outcome, SchemaDrift, exit};
use longshore_storage::schema::TableSchema;
use longshore_storage::table::LabelState;
use longshore_worker::dry_run::{DryRunReport, Fill};
use longshore_worker::load;
use proptest::prelude::*;

use crate::world::{RUNTIME, World, batch, column, definition, not_null, parquet_bytes, tree, with_default};

fn dry(request: LoadRequest) -> LoadRequest {
    LoadRequest { dry_run: Some(DryRun { errors: 100, rows: 3 }), ..request }
}

fn world() -> World {
    let defaulted = with_default(column("d", "INT"), longshore_storage::schema::DefaultValue::parse("7"));
    World::with_table(&definition(vec![
        not_null(column("n", "TINYINT")),
        column("t", "VARCHAR(4)"),
        defaulted,
    ]))
}

fn file(numbers: &[Option<i64>], texts: &[&str]) -> Vec<u8> {
    let numbers: ArrayRef = Arc::new(Int64Array::from(numbers.to_vec()));
    let texts: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    let more = Arc::clone(&numbers);
    parquet_bytes(&batch(vec![("T", texts), ("n", numbers), ("more", more)]))
}

/// The report on the volume.
fn found(world: &World, report: &LoadReport) -> DryRunReport {
    let path = world.root().join(report.report_path.as_ref().unwrap());
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Every file of the table but the reports of dry runs.
fn others(world: &World) -> BTreeMap<PathBuf, u64> {
    tree(&world.root()).into_iter().filter(|(path, _)| !path.to_string_lossy().contains("dry-runs")).collect()
}

#[test]
fn it_says_what_the_load_would_do_and_touches_nothing() {
    let world = world();
    world.put("a.parquet", file(&[Some(1), Some(1_000), None, Some(2)], &["a", "b", "c", "far too long"]));
    world.put("b.parquet", file(&[Some(3), Some(2_000)], &["d", "e"]));
    let before = others(&world);
    let mut request = dry(world.request("load", "*.parquet"));
    request.max_filter_ratio = "0.7".to_owned();
    let report = world.load(request.clone());
    assert_eq!((report.outcome, report.exit_code, report.reason.as_str()), (Outcome::DryRun, 0, "DryRun"));
    assert_eq!(others(&world), before, "nothing but the report is written");
    assert!(matches!(world.table().label("load").unwrap(), LabelState::Unknown));
    let verdict = report.dry_run.as_ref().unwrap();
    assert_eq!((verdict.exit_code, verdict.reason.as_str()), (exit::LOADED, "LoadedWithFilteredRows"));
    let found = found(&world, &report);
    assert_eq!(&found.verdict, verdict);
    let counts: Vec<_> = found.files.iter().map(|file| (file.read, file.loaded, file.filtered)).collect();
    assert_eq!(counts, [(4, 1, 3), (2, 1, 1)]);
    assert_eq!(found.files[0].format.as_deref(), Some("parquet"));
    // One schema, what fills which column, and what is left.
    assert_eq!((found.schemas.len(), found.schemas[0].files), (1, 2));
    let fills: Vec<&Fill> = found.schemas[0].columns.iter().map(|column| &column.from).collect();
    assert!(matches!(fills[0], Fill::File(column) if column.name == "n"), "{fills:?}");
    assert!(matches!(fills[1], Fill::File(column) if column.name == "T"), "{fills:?}");
    assert_eq!(fills[2], &Fill::Default("7".to_owned()));
    assert_eq!(found.schemas[0].extra[0].name, "more");
    // The first rows as they would be stored.
    assert_eq!(found.rows.columns, ["n", "t", "d"]);
    let row = |n: &str, t: &str| vec![Some(n.to_owned()), Some(t.to_owned()), Some("7".to_owned())];
    assert_eq!(found.rows.values, [row("1", "a"), row("3", "d")]);
    // All kinds of errors, the most frequent first.
    let kinds: Vec<_> =
        found.errors.iter().map(|kind| (kind.column.as_str(), kind.code.as_str(), kind.rows)).collect();
    assert_eq!(kinds, [("n", "OutOfRange", 2), ("n", "NullInNotNull", 1), ("t", "TooLong", 1)]);
    let example = &found.errors[0].examples[1];
    assert!(
        example.file.ends_with("/b.parquet") && example.row == 2 && example.raw_value == "2000",
        "{example:?}"
    );
    // The same request without the field loads, with the same counts.
    let loaded = world.load(LoadRequest { dry_run: None, ..request });
    assert_eq!((loaded.outcome, loaded.counts), (Outcome::Loaded, report.counts), "{loaded:?}");
    assert_eq!(loaded.reason, verdict.reason);
}

#[test]
fn what_the_load_would_fail_with_is_the_verdict_and_the_rest_is_checked_all_the_same() {
    let world = world();
    world.put("a.parquet", b"PAR1 no more");
    world.put("b.parquet", file(&[Some(1_000), Some(2)], &["a", "b"]));
    let report = world.load(dry(world.request("load", "*.parquet")));
    let verdict = report.dry_run.as_ref().unwrap();
    assert_eq!((report.outcome, report.exit_code), (Outcome::DryRun, exit::LOADED), "{report:?}");
    assert_eq!((verdict.exit_code, verdict.reason.as_str()), (exit::SOURCE, "InvalidParquet"));
    let found = found(&world, &report);
    assert_eq!(found.files[0].error.as_ref().unwrap().code, "InvalidParquet");
    assert_eq!((found.files[1].loaded, found.files[1].filtered), (1, 1));
    assert_eq!(found.errors[0].code, "OutOfRange");
    // A wrong path, a wrong column, too many bad rows: each by its own name.
    let verdict_of = |edit: &dyn Fn(&mut LoadRequest)| {
        let mut request = dry(world.request("load", "b.parquet"));
        edit(&mut request);
        world.load(request).dry_run.unwrap().reason
    };
    let bucket = &world.bucket;
    assert_eq!(verdict_of(&|r| r.sources[0].paths = vec![format!("s3://{bucket}/x/*")]), "NoMatchingFiles");
    assert_eq!(verdict_of(&|_| {}), "DataQuality");
    assert_eq!(verdict_of(&|r| r.max_filter_ratio = "2".to_owned()), "InvalidRequest");
}

#[test]
fn it_works_for_a_label_that_is_loaded_and_for_a_table_that_is_not_there() {
    let world = world();
    world.put("a.parquet", file(&[Some(1)], &["a"]));
    assert_eq!(world.load(world.request("load", "*.parquet")).outcome, Outcome::Loaded);
    let report = world.load(dry(world.request("load", "*.parquet")));
    assert_eq!((report.outcome, report.counts.sink_rows), (Outcome::DryRun, 1), "{report:?}");

    let nowhere = World::new();
    nowhere.put("a.parquet", file(&[Some(1)], &["a"]));
    let schema = Arc::new(TableSchema::new(definition(vec![column("n", "INT")])));
    let request = dry(nowhere.request("load", "*.parquet"));
    let end = RUNTIME.block_on(load::dry_run(request.clone(), Some(schema), nowhere.context()));
    let found = end.found.unwrap();
    assert_eq!((found.verdict.reason.as_str(), found.counts.sink_rows), ("Loaded", 1));
    assert_eq!(found.rows.values, [[Some("1".to_owned())]]);
    assert!(!nowhere.root().exists(), "no table is made");
    // Without a schema there is nothing to say.
    let report = nowhere.load(request);
    assert_eq!((report.outcome, report.exit_code), (Outcome::Failed, exit::TABLE_REFUSED), "{report:?}");
}

#[test]
fn columns_that_a_load_would_add_are_named() {
    let world = World::with_table(&definition(vec![column("n", "BIGINT")]));
    world.put("a.parquet", file(&[Some(1)], &["a"]));
    let request = LoadRequest { schema_drift: SchemaDrift::AddColumns, ..world.request("load", "*.parquet") };
    let report = world.load(dry(request));
    let names: Vec<_> = found(&world, &report).new_columns.into_iter().map(|column| column.name).collect();
    assert_eq!(names, ["T", "more"]);
    assert_eq!(world.table().schema().columns().len(), 1);
}

#[test]
fn what_is_left_alone_takes_columns_and_expressions_into_account() {
    let world = World::with_table(&definition(vec![column("n", "BIGINT")]));
    world.put("a.parquet", file(&[Some(1)], &["a"]));
    let left = |edit: &dyn Fn(&mut LoadRequest)| {
        let mut request = dry(world.request("load", "*.parquet"));
        edit(&mut request);
        let report = world.load(request);
        let schema = found(&world, &report).schemas.remove(0);
        schema.extra.into_iter().map(|column| column.name).collect::<Vec<_>>()
    };
    assert_eq!(left(&|_| {}), ["T", "more"]);
    assert_eq!(left(&|r| r.sources[0].filter = Some("t = 'a'".to_owned())), ["more"]);
    assert_eq!(left(&|r| r.sources[0].columns = Some(vec!["n".to_owned()])), [""; 0]);
}

#[test]
fn a_table_that_stands_gets_the_columns_of_its_manifest_first() {
    let world = World::with_table(&definition(vec![column("n", "BIGINT")]));
    world.put("a.parquet", file(&[Some(1)], &["a"]));
    let declare = |columns| {
        let schema = Arc::new(TableSchema::new(definition(columns)));
        let request = dry(world.request("load", "*.parquet"));
        RUNTIME.block_on(load::dry_run(request, Some(schema), world.context()))
    };
    let end = declare(vec![column("n", "BIGINT"), column("T", "STRING"), column("later", "DATE")]);
    let found = end.found.unwrap();
    let added: Vec<_> = found.declared_columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(added, ["T", "later"]);
    let text = found.to_string();
    assert!(text.contains("the manifest of the Table adds the columns: T STRING, later DATE"), "{text}");
    // `later` is in no file, and nothing is declared for it.
    assert_eq!(found.verdict.reason, "MissingColumn", "{found}");
    let end = declare(vec![column("n", "BIGINT"), column("T", "STRING")]);
    let found = end.found.unwrap();
    assert_eq!((found.verdict.reason.as_str(), found.counts.sink_rows), ("Loaded", 1));
    assert_eq!(found.rows.columns, ["n", "T"]);
    assert_eq!(world.table().schema().columns().len(), 1, "nothing is added");
    let end = declare(vec![column("n", "STRING")]);
    assert!(end.report.message.contains("column n is declared STRING and is BIGINT"), "{:?}", end.report);
}

#[derive(Debug, Clone)]
enum Object {
    Rows(Vec<i64>),
    Damaged,
    Lacks,
}

fn objects() -> impl Strategy<Value = Vec<Object>> {
    let rows = prop::collection::vec(prop_oneof![3 => -100..100i64, 1 => 1_000..2_000i64], 0..30);
    let object =
        prop_oneof![6 => rows.prop_map(Object::Rows), 1 => Just(Object::Damaged), 1 => Just(Object::Lacks)];
    prop::collection::vec(object, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn its_counts_and_verdict_are_those_of_the_load(
        objects in objects(),
        skips in any::<bool>(),
        limit in 1..3u32,
        ratio in prop_oneof![Just("0"), Just("0.3"), Just("1")],
        allow_empty in any::<bool>(),
        strict in any::<bool>(),
        task_bytes in prop_oneof![Just(1u64), Just(u64::MAX)],
    ) {
        let world = World::with_table(&definition(vec![column("n", "TINYINT")]));
        for (number, object) in objects.iter().enumerate() {
            let values = |name, values: &[i64]| {
                let values: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
                parquet_bytes(&batch(vec![(name, values)]))
            };
            let content = match object {
                Object::Rows(rows) => values("n", rows),
                Object::Damaged => b"PAR1 no more".to_vec(),
                Object::Lacks => values("m", &[1]),
            };
            world.put(&format!("{number}.parquet"), content);
        }
        let mut request = world.request("load", "*.parquet");
        request.on_file_error = if skips { OnFileError::SkipFile } else { OnFileError::Abort };
        request.max_skipped_files = skips.then_some(limit);
        request.max_filter_ratio = ratio.to_owned();
        request.allow_empty = allow_empty;
        request.strict_mode = strict;
        request.execution.task_bytes = Some(task_bytes);
        let looked = world.load(dry(request.clone()));
        let loaded = world.load(request);
        let verdict = looked.dry_run.as_ref().unwrap();
        prop_assert_eq!(verdict.exit_code, loaded.exit_code, "{:?} {:?}", looked, loaded);
        let aborted = objects.iter().any(|object| !matches!(object, Object::Rows(_))) && !skips;
        // Which of several bad files ends a load first is chance.
        if !aborted {
            prop_assert_eq!(&verdict.reason, &loaded.reason);
        }
        // A load that ends at a file says nothing of the others.
        if loaded.counts.file_number > 0 {
            prop_assert_eq!(looked.counts, loaded.counts);
        }
    }
}
