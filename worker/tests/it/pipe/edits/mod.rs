//! Every field of a Pipe but its table and its ledger may be edited while it runs: the next batch follows the edit, and no
//! file is loaded twice or lost.

mod after_load;
mod batches;
mod rows;
mod source;
mod stage;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;

use longshore_crds::{Pipe, schema};
use longshore_s3server::{Fault, FaultKind, Operation};
use serde_json::{Value, json};

use self::stage::{OLD, Stage};
use super::{file, ledger};
use crate::world::SERVER;

/// Where an edit of a field is tested.
#[derive(Clone, Copy)]
enum Tested {
    /// Here: the worker sees it.
    Here(fn()),
    /// There: a test of this name in this file. The worker never sees the field, or no edit of it is let pass.
    There(&'static str, &'static str),
}

use Tested::{Here, There};

/// Rules of the definition.
const RULES: &str = "crds/tests/it/pipe.rs";
/// What the operator makes of a Pipe.
const OPERATOR: &str = "operator/src/pipe/tests.rs";
const EDITS: &str = "operator/src/pipe/edit_tests.rs";

const FIELDS: [(&str, Tested); 39] = [
    ("table", There(RULES, "only_table_and_ledger_are_immutable")),
    ("ledger", There(RULES, "only_table_and_ledger_are_immutable")),
    ("source.manifest", There(RULES, "bad_values_are_refused_with_what_to_do")),
    ("suspend", There(OPERATOR, "suspend_lets_the_pod_stop_and_is_told_once_it_is_gone")),
    ("worker", There(EDITS, "an_edit_of_any_field_reaches_the_pod")),
    ("source.paths", Here(source::paths)),
    ("source.s3.region", Here(source::region)),
    ("source.s3.endpoint", Here(source::endpoint)),
    ("source.s3.forcePathStyle", Here(source::force_path_style)),
    ("source.s3.credentials.secretRef", Here(source::secret)),
    ("source.s3.credentials.anonymous", Here(source::anonymous)),
    ("source.s3.credentials.assumeRole", Here(source::role)),
    ("source.format", Here(rows::format)),
    ("source.columns", Here(rows::columns)),
    ("source.columnsFromPath", Here(rows::columns_from_path)),
    ("source.onMissingPathKey", Here(rows::on_missing_path_key)),
    ("source.set", Here(rows::set)),
    ("source.where", Here(rows::filter)),
    ("load.strictMode", Here(rows::strict_mode)),
    ("load.maxFilterRatio", Here(rows::max_filter_ratio)),
    ("load.onMissingColumn", Here(rows::on_missing_column)),
    ("load.schemaDrift", Here(rows::schema_drift)),
    ("load.timezone", Here(rows::timezone)),
    ("load.rejectedRecords.limit", Here(rows::rejected_records)),
    ("autoIngest", Here(batches::auto_ingest)),
    ("pollIntervalSeconds", Here(batches::poll_interval)),
    ("maxListRequestsPerHour", Here(batches::list_requests)),
    ("batchSize", Here(batches::batch_size)),
    ("batchFiles", Here(batches::batch_files)),
    ("onObjectChange", Here(batches::on_object_change)),
    ("startFrom.key", Here(batches::start_key)),
    ("startFrom.time", Here(batches::start_time)),
    ("includeExisting", Here(batches::include_existing)),
    ("retry.maxAttempts", Here(batches::max_attempts)),
    ("retry.backoffSeconds", Here(batches::backoff)),
    ("afterLoad.action", Here(after_load::action)),
    ("afterLoad.delaySeconds", Here(after_load::delay)),
    ("afterLoad.moveTo", Here(after_load::move_to)),
    ("afterLoad.tag", Here(after_load::tag)),
];

/// Fields that are edited as a whole.
const WHOLE: [&str; 5] = [
    "worker",
    "source.format",
    "source.s3.credentials.secretRef",
    "source.s3.credentials.assumeRole",
    "afterLoad.tag",
];
/// Tests at a time.
const AT_ONCE: usize = 6;

/// Every field of the spec by its path, as the definition has them.
fn fields(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    match schema["properties"].as_object() {
        Some(properties) if !WHOLE.contains(&path) => {
            for (name, property) in properties {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                fields(property, &path, found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

#[test]
fn every_field_has_its_test() {
    let schema = serde_json::to_value(schema::<Pipe>()).unwrap();
    let mut found = BTreeSet::new();
    fields(&schema["properties"]["spec"], "", &mut found);
    let tested: BTreeSet<String> = FIELDS.iter().map(|(field, _)| (*field).to_owned()).collect();
    let (lacking, unknown): (Vec<_>, Vec<_>) =
        (found.difference(&tested).collect(), tested.difference(&found).collect());
    assert!(lacking.is_empty() && unknown.is_empty(), "no test of {lacking:?}, no field {unknown:?}");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (field, tested) in FIELDS {
        if let There(file, test) = tested {
            let text = std::fs::read_to_string(repository.join(file)).unwrap();
            assert!(text.contains(&format!("fn {test}()")), "{field}: no {test} in {file}");
        }
    }
}

#[test]
fn every_edit_applies_from_the_next_batch_on_and_no_file_is_loaded_twice_or_lost() {
    let tests = FIELDS.iter().filter_map(|(field, tested)| match tested {
        Here(test) => Some((*field, *test)),
        There(..) => None,
    });
    let queue = Mutex::new(tests);
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some((field, test)) = next else { return };
                    if catch_unwind(AssertUnwindSafe(test)).is_err() {
                        failed.lock().unwrap().push(field);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "edits of {failed:?} failed, as said above");
}

#[test]
fn what_waits_is_judged_by_the_edited_spec_and_put_back_by_the_next() {
    let slow_down = Fault::new(FaultKind::SlowDown).on(Operation::GetObject);
    let mut reading = None;
    let mut stage = Stage::with(vec![("in/z.parquet", file([10]))], |world, _| {
        reading = Some(SERVER.faults().add(slow_down.bucket(&world.bucket)));
    });
    // All are listed, and none can be read.
    stage.until("one is tried", |_| reading.is_some_and(|fault| SERVER.faults().hits(fault) > 0));
    stage.edit(vec![], |world, spec| {
        SERVER.faults().remove(reading.unwrap());
        spec["source"]["paths"] = json!([format!("s3://{}/in/old-[01].parquet", world.bucket)]);
        spec["startFrom"] = json!({"key": "in/old-0.parquet"});
    });
    stage.loaded(1);
    let progress = stage.until("nothing waits", |progress| progress.unloaded_files == 0);
    assert_eq!((progress.loaded_files, progress.ignored_files), (1, OLD as u64));
    let rules = ledger(&stage.world).into_iter().filter_map(|(_, entry)| Some(entry.fault?.category));
    assert_eq!(
        rules.collect::<Vec<_>>(),
        ["BeforeStart", "NotInSource", "NotInSource", "NotInSource"],
        "in the order of keys"
    );
    stage.edit(vec![], |world, spec| {
        spec["source"]["paths"] = json!([format!("s3://{}/in/*.parquet", world.bucket)]);
        spec["startFrom"] = Value::Null;
    });
    stage.loaded(OLD + 1);
    stage.exact(&[10]);
}
