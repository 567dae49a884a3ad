//! After each kind of operation the other engines read what we read.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, new_null_array};
use arrow::compute::concat_batches;
use arrow::datatypes::DataType as Arrow;
use longshore_crds::{LoadMode, Outcome};
use longshore_storage::compact::{CompactionOptions, Compactor};
use longshore_storage::log::CleanOptions;
use longshore_storage::vacuum::VacuumOptions;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::{ROWS, python, rows, table};
use crate::world::{World, column, parquet_bytes};

/// A table and what must be in it.
struct Checked {
    world: World,
    expected: Vec<RecordBatch>,
    random: StdRng,
    loads: i64,
}

impl Checked {
    fn new() -> Self {
        Self { world: table(), expected: Vec::new(), random: StdRng::seed_from_u64(13), loads: 0 }
    }

    fn load(&mut self, mode: LoadMode) {
        self.loads += 1;
        let mut batch = rows(&mut self.random, self.loads * ROWS as i64);
        if self.world.table().schema().columns().iter().any(|column| column.name == "added") {
            let added: ArrayRef = Arc::new(Int64Array::from_iter_values(0..ROWS as i64));
            batch = with_added(&batch, added);
        }
        let key = format!("{}.parquet", self.loads);
        self.world.put_batch(&key, &batch);
        let mut request = self.world.request(&format!("load-{}", self.loads), &key);
        request.mode = mode;
        assert_eq!(self.world.load(request).outcome, Outcome::Loaded);
        if mode == LoadMode::Overwrite {
            self.expected.clear();
        }
        self.expected.push(batch);
    }

    fn read_by_all(&self, after: &str) {
        let all = concat_batches(&self.expected[0].schema(), &self.expected).unwrap();
        let source = self.world.folder.path().join("source.parquet");
        std::fs::write(&source, parquet_bytes(&all)).unwrap();
        let said = python("read.py", &[self.world.root().to_str().unwrap(), source.to_str().unwrap()]);
        println!("after {after}:\n{said}");
    }
}

fn with_added(batch: &RecordBatch, added: ArrayRef) -> RecordBatch {
    let schema = batch.schema();
    let named =
        schema.fields().iter().map(|field| field.name().as_str()).zip(batch.columns().iter().cloned());
    RecordBatch::try_from_iter_with_nullable(
        named.chain([("added", added)]).map(|(name, array)| (name, array, true)),
    )
    .unwrap()
}

#[test]
fn four_engines_read_alike_after_each_kind_of_operation() {
    let mut checked = Checked::new();
    checked.load(LoadMode::Append);
    checked.load(LoadMode::Overwrite);
    checked.load(LoadMode::Append);
    checked.read_by_all("an overwrite");

    let mut open = checked.world.table();
    let report = Compactor::run(&mut open, &CompactionOptions::default(), &AtomicBool::new(false)).unwrap();
    assert!(report.outputs > 0, "{report:?}");
    checked.read_by_all("a compaction");

    open.add_columns(&[column("added", "BIGINT")]).unwrap();
    for batch in &mut checked.expected {
        *batch = with_added(batch, new_null_array(&Arrow::Int64, batch.num_rows()));
    }
    checked.load(LoadMode::Append);
    checked.read_by_all("an added column");

    open.checkpoint().unwrap();
    checked.load(LoadMode::Append);
    open.checkpoint().unwrap();
    open.refresh().unwrap();
    checked.load(LoadMode::Append);
    open.checkpoint().unwrap();
    open.fold_history().unwrap();
    let cleaned = open.clean_log(&CleanOptions { min_age: Duration::ZERO }).unwrap();
    assert!(cleaned.commits > 0, "{cleaned:?}");
    let everything =
        VacuumOptions { retention: Some(Duration::ZERO), min_age: Duration::ZERO, dry_run: false };
    open.vacuum(&everything, &mut |_| {}).unwrap();
    checked.read_by_all("checkpoints, a clean-up and a vacuum");
}
