//! The files: Parquet as other writers make it by default, with snappy and dictionaries.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::expected::{self, Expected, FileEntry};
use super::rows::{BEHAVIORS, Batch, RowGenerator, TIMESTAMP_BYTES};
use super::{GenerateError, Options};

/// Rows of a row group.
const ROW_GROUP: usize = 1_000_000;
/// Rows handed to the writer at once.
const BATCH: usize = 65_536;
/// Threads that write files.
const THREADS: usize = 2;

/// Makes the data set in the folder and says what is in it. A folder that is whole with the same
/// options is left as it is; other options replace it.
pub fn generate(options: &Options, folder: &Path) -> Result<Expected, GenerateError> {
    if let Some(expected) = Expected::read_complete(folder, options) {
        return Ok(expected);
    }
    std::fs::create_dir_all(folder).map_err(|error| GenerateError::io(folder, error))?;
    clear(folder)?;
    let next = AtomicU32::new(0);
    let parts = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let work = || -> Result<(), GenerateError> {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= options.files.max(1) {
                    return Ok(());
                }
                let part = write_file(options, index, folder)?;
                parts.lock().unwrap_or_else(PoisonError::into_inner).push((index, part));
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| GenerateError::Thread)?)
    })?;
    let mut parts = parts.into_inner().unwrap_or_else(PoisonError::into_inner);
    parts.sort_by_key(|(index, _)| *index);
    let mut expected = Expected::new(options);
    for (_, part) in parts {
        expected.merge(part);
    }
    expected.write(folder)?;
    Ok(expected)
}

/// Removes an older data set. The mark of its completeness goes first.
fn clear(folder: &Path) -> Result<(), GenerateError> {
    let remove = |path: &Path| match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(GenerateError::io(path, error)),
        _ => Ok(()),
    };
    remove(&folder.join(expected::FILE_NAME))?;
    let entries = std::fs::read_dir(folder).map_err(|error| GenerateError::io(folder, error))?;
    for entry in entries {
        let path = entry.map_err(|error| GenerateError::io(folder, error))?.path();
        if path.extension().is_some_and(|extension| extension == "parquet") {
            remove(&path)?;
        }
    }
    Ok(())
}

fn write_file(options: &Options, index: u32, folder: &Path) -> Result<Expected, GenerateError> {
    let name = format!("part-{index:04}.parquet");
    let path = folder.join(&name);
    let temporary = folder.join(format!(".{name}.part"));
    let file = File::create(&temporary).map_err(|error| GenerateError::io(&temporary, error))?;
    let parquet_error = |source| GenerateError::Parquet { path: path.clone(), source };
    let mut writer = writer(file).map_err(parquet_error)?;
    let mut generator = RowGenerator::new(options, index);
    let mut batch = Batch::default();
    let mut part = Expected::new(options);
    let behaviors = behavior_texts();
    while generator.fill(&mut batch, BATCH) {
        part.add_batch(&batch);
        let columns = record_batch(&mut batch, &behaviors).map_err(|error| parquet_error(error.into()))?;
        writer.write(&columns).map_err(parquet_error)?;
    }
    writer.close().map_err(parquet_error)?;
    std::fs::rename(&temporary, &path).map_err(|error| GenerateError::io(&path, error))?;
    let bytes = path.metadata().map_err(|error| GenerateError::io(&path, error))?.len();
    part.files.push(FileEntry { name, bytes, rows: part.rows });
    Ok(part)
}

fn writer(file: File) -> Result<ArrowWriter<File>, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .build();
    // Files of other systems carry no Arrow schema; these shall not either.
    let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
    ArrowWriter::try_new_with_options(file, schema(), options)
}

fn schema() -> SchemaRef {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Arc::new(Schema::new(vec![
        field("UserID", DataType::Int64),
        field("ItemID", DataType::Int64),
        field("CategoryID", DataType::Int64),
        field("BehaviorType", DataType::Utf8),
        field("Timestamp", DataType::Utf8),
    ]))
}

fn behavior_texts() -> [&'static [u8]; 4] {
    BEHAVIORS.map(str::as_bytes)
}

fn record_batch(batch: &mut Batch, behaviors: &[&'static [u8]; 4]) -> Result<RecordBatch, ArrowError> {
    let rows = batch.users.len();
    let lengths = batch.behaviors.iter().map(|&behavior| behaviors[usize::from(behavior)].len());
    let offsets = OffsetBuffer::from_lengths(lengths);
    let mut text = Vec::with_capacity(rows * 2);
    for &behavior in &batch.behaviors {
        text.extend_from_slice(behaviors[usize::from(behavior)]);
    }
    let behavior = StringArray::try_new(offsets, Buffer::from_vec(text), None)?;
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(TIMESTAMP_BYTES, rows));
    let timestamps = Buffer::from_vec(std::mem::take(&mut batch.timestamps));
    let timestamp = StringArray::try_new(offsets, timestamps, None)?;
    let integers = |values: &mut Vec<i64>| -> ArrayRef { Arc::new(Int64Array::from(std::mem::take(values))) };
    RecordBatch::try_new(
        schema(),
        vec![
            integers(&mut batch.users),
            integers(&mut batch.items),
            integers(&mut batch.categories),
            Arc::new(behavior),
            Arc::new(timestamp),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::super::Order;
    use super::*;

    #[test]
    fn equal_options_give_equal_files_and_a_whole_folder_is_kept() {
        let options = Options { rows: 20_001, files: 3, order: Order::Random, seed: 5 };
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [first, second] = folders.each_ref().map(|folder| generate(&options, folder.path()).unwrap());
        assert_eq!(first, second);
        assert_eq!(first.rows, 20_001);
        assert_eq!(first.behaviors.values().sum::<u64>(), 20_001);
        for file in &first.files {
            let [one, other] =
                folders.each_ref().map(|folder| std::fs::read(folder.path().join(&file.name)).unwrap());
            assert!(one == other, "{}", file.name);
        }
        let modified = |name: &str| folders[0].path().join(name).metadata().unwrap().modified().unwrap();
        let before = modified(&first.files[0].name);
        assert_eq!(generate(&options, folders[0].path()).unwrap(), first);
        assert_eq!(modified(&first.files[0].name), before);

        let fewer = Options { rows: 10, files: 1, ..options };
        assert_eq!(generate(&fewer, folders[0].path()).unwrap().rows, 10);
        assert!(!folders[0].path().join("part-0001.parquet").exists());
    }

    #[test]
    fn the_files_hold_what_is_expected() {
        use arrow::array::AsArray;
        use arrow::datatypes::Int64Type;
        use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

        let folder = tempfile::tempdir().unwrap();
        let options = Options { rows: 5000, files: 2, order: Order::Grouped, seed: 9 };
        let expected = generate(&options, folder.path()).unwrap();
        let (mut sum, mut views, mut least) = (0, 0, String::from("9"));
        for file in &expected.files {
            let file = File::open(folder.path().join(&file.name)).unwrap();
            for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
                let batch = batch.unwrap();
                sum += batch.column(0).as_primitive::<Int64Type>().values().iter().sum::<i64>();
                views += batch.column(3).as_string::<i32>().iter().filter(|text| *text == Some("pv")).count();
                let stamps = batch.column(4).as_string::<i32>().iter().flatten().min().unwrap().to_owned();
                least = least.min(stamps);
            }
        }
        assert_eq!(sum, expected.user_id_sum);
        assert_eq!(views as u64, expected.behaviors["pv"]);
        assert_eq!(least, expected.min_timestamp);
    }
}
