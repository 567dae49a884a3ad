//! ORC and Avro, written by the tools that people use: the rows are those of Parquet.

mod damage;
mod fuzz;
mod shapes;
mod types;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{concat, sort_to_indices, take};
use bytes::Bytes;
use longshore_worker::decode::{AvroFile, DataFile, DecodeError, OrcFile, ParquetFile, Read};
use longshore_worker::source::ReadObject;
use proptest::test_runner::Config as ProptestConfig;
use tempfile::TempDir;

use crate::decode::object::FakeObject;
use crate::oracles::python;

/// The files that a part of `columnar.py` writes, by name.
pub fn written(part: &str) -> BTreeMap<String, Bytes> {
    let folder: TempDir = tempfile::tempdir().unwrap();
    python("columnar.py", &[part, folder.path().to_str().unwrap()]);
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (name(&path), std::fs::read(&path).unwrap().into()))
        .collect()
}

/// Opens a file by its suffix.
pub fn open(name: &str, object: Arc<dyn ReadObject>) -> Result<Arc<dyn DataFile>, DecodeError> {
    Ok(match name.rsplit('.').next().unwrap() {
        "orc" => Arc::new(OrcFile::open(object)?),
        "avro" => Arc::new(AvroFile::open(object)?),
        _ => Arc::new(ParquetFile::open(object)?),
    })
}

pub fn options(columns: Vec<usize>, budget_bytes: usize) -> Read {
    Read { columns, dictionary_columns: Vec::new(), batch_rows: 1000, budget_bytes, block_bytes: 1 << 20 }
}

/// All batches of a file; the row numbers of the batches follow each other.
pub fn batches(file: &dyn DataFile, read: Read) -> Result<Vec<RecordBatch>, DecodeError> {
    let mut parts = file.parts(Arc::new(read))?;
    let (mut batches, mut row) = (Vec::new(), 1);
    while let Some(part) = parts.next() {
        let mut reader = part?.start()?;
        while let Some(decoded) = reader.next(10) {
            let decoded = decoded?;
            assert_eq!(decoded.origin.number(0), row);
            row += decoded.batch.num_rows() as u64;
            batches.push(decoded.batch);
        }
    }
    Ok(batches)
}

/// All rows of the columns that can be read, column by column.
pub fn read_all(name: &str, bytes: &Bytes, budget: usize) -> Result<BTreeMap<String, ArrayRef>, DecodeError> {
    let file = open(name, FakeObject::new(bytes.clone()))?;
    let fields = file.schema().fields();
    let readable = |index: &usize| !fields[*index].metadata().contains_key("longshore.unsupported");
    let columns: Vec<usize> = (0..fields.len()).filter(readable).collect();
    let batches = batches(&*file, options(columns.clone(), budget))?;
    if let Some(rows) = file.announced_rows() {
        assert_eq!(batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>(), rows, "{name}");
    }
    let column = |place: usize| -> ArrayRef {
        let arrays: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(place).as_ref()).collect();
        if arrays.is_empty() {
            return arrow::array::new_empty_array(fields[columns[place]].data_type());
        }
        concat(&arrays).unwrap()
    };
    let named = |(place, index): (usize, &usize)| (fields[*index].name().clone(), column(place));
    Ok(columns.iter().enumerate().map(named).collect())
}

/// Values as text, with what formats name differently made equal.
pub fn texts(array: &ArrayRef) -> Vec<String> {
    crate::world::texts(array)
}

/// The rows in the order of a column.
pub fn sorted_by(batch: &RecordBatch, column: &str) -> RecordBatch {
    let order: UInt32Array = sort_to_indices(batch.column_by_name(column).unwrap(), None, None).unwrap();
    let columns = batch.columns().iter().map(|array| take(array, &order, None).unwrap());
    RecordBatch::try_new(batch.schema(), columns.collect()).unwrap()
}

/// `cases` of a property test, a short pass; as many as `PROPTEST_CASES` says where it is set (`make fuzz`).
fn cases(cases: u32) -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(cases),
    }
}
