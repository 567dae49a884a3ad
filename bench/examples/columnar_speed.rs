//! How fast ORC and Avro are decoded, beside the crates `orc-rust` and `arrow-avro`: rows of five columns, on one
//! core, from memory. `make bench` runs it.
#![allow(clippy::unwrap_used, missing_docs)]

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_avro::reader::ReaderBuilder;
use arrow_avro::writer::AvroWriter;
use bytes::Bytes;
use longshore_worker::decode::{AvroFile, DataFile, OrcFile, Read};
use longshore_worker::source::{PendingBytes, ReadObject};
use orc_rust::{ArrowReaderBuilder, ArrowWriterBuilder};

const ROWS: i64 = 2_000_000;
const ROUNDS: usize = 5;

struct Memory(Bytes);

impl ReadObject for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn fetch(&self, range: Range<u64>) -> PendingBytes {
        PendingBytes::ready(Ok(self.0.slice(range.start as usize..range.end as usize)))
    }
}

fn main() {
    let batch = rows();
    let orc = {
        let mut bytes = Vec::new();
        let mut writer = ArrowWriterBuilder::new(&mut bytes, batch.schema()).try_build().unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        Bytes::from(bytes)
    };
    let avro = {
        let mut writer = AvroWriter::new(Vec::new(), batch.schema().as_ref().clone()).unwrap();
        for start in (0..ROWS as usize).step_by(4096) {
            writer.write(&batch.slice(start, 4096.min(ROWS as usize - start))).unwrap();
        }
        writer.finish().unwrap();
        Bytes::from(writer.into_inner())
    };
    let crate_orc = || {
        ArrowReaderBuilder::try_new(orc.clone()).unwrap().build().map(|batch| batch.unwrap().num_rows()).sum()
    };
    let crate_avro = || {
        let reader = ReaderBuilder::new().with_batch_size(8192).build(avro.as_ref()).unwrap();
        reader.map(|batch| batch.unwrap().num_rows()).sum()
    };
    let our_orc = || ours(&OrcFile::open(Arc::new(Memory(orc.clone()))).unwrap());
    let our_avro = || ours(&AvroFile::open(Arc::new(Memory(avro.clone()))).unwrap());
    compare("ORC", orc.len(), &our_orc, &crate_orc);
    compare("Avro", avro.len(), &our_avro, &crate_avro);
}

fn compare(format: &str, bytes: usize, ours: &dyn Fn() -> usize, theirs: &dyn Fn() -> usize) {
    let (ours, theirs) = (seconds(ours), seconds(theirs));
    let rate = |seconds: f64| bytes as f64 / seconds / 1e6;
    println!(
        "{format}: {:.0} MB/s, {:.1} M rows/s; the crate {:.0} MB/s; ratio {:.2}",
        rate(ours),
        ROWS as f64 / ours / 1e6,
        rate(theirs),
        theirs / ours
    );
}

/// The shortest of a few rounds.
fn seconds(read: &dyn Fn() -> usize) -> f64 {
    let round = || {
        let begin = Instant::now();
        assert_eq!(read(), ROWS as usize);
        begin.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn ours(file: &dyn DataFile) -> usize {
    let columns = (0..file.schema().fields().len()).collect();
    let read = Read {
        columns,
        dictionary_columns: Vec::new(),
        batch_rows: 8192,
        budget_bytes: 256 << 20,
        block_bytes: 4 << 20,
    };
    let mut parts = file.parts(Arc::new(read)).unwrap();
    let mut rows = 0;
    while let Some(part) = parts.next() {
        let mut reader = part.unwrap().start().unwrap();
        while let Some(decoded) = reader.next(0) {
            rows += decoded.unwrap().batch.num_rows();
        }
    }
    rows
}

fn rows() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from_iter_values(0..ROWS))),
        ("item", Arc::new(Int32Array::from_iter_values((0..ROWS).map(|i| (i * 7919 % 4_000_037) as i32)))),
        ("price", Arc::new(Float64Array::from_iter_values((0..ROWS).map(|i| i as f64 / 7.0)))),
        (
            "kind",
            Arc::new(StringArray::from_iter_values(
                (0..ROWS).map(|i| ["pv", "buy", "cart", "fav"][i as usize % 4]),
            )),
        ),
        (
            "note",
            Arc::new(StringArray::from_iter((0..ROWS).map(|i| (i % 5 != 0).then(|| format!("note {i}"))))),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}
