//! The bucket of each row, and with its partition the tablet.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType as ArrowType, Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType,
};

use super::TabletError;
use super::tablets::{Tablet, TabletNumbers};
use crate::schema::TableSchema;
use crate::types::{
    DataType,
    bucket_hash::{bucket, combine, hash_bytes, hash_decimal, hash_long},
};

/// Rows that go to one bucket before the next one has its turn, if the distribution is random.
const TURN_ROWS: usize = 8192;

/// Tells each row's tablet.
#[derive(Debug)]
pub(crate) struct Router {
    columns: Vec<usize>,
    buckets: u32,
    /// Random distribution: rows routed so far, counted from this task's first bucket.
    turn: usize,
    hashes: Vec<i32>,
}

impl Router {
    /// A router of a table; `task` decides where the turns of a random distribution begin, so that many
    /// small tasks do not all fill the first bucket.
    pub(crate) fn new(schema: &TableSchema, task: u32) -> Result<Self, TabletError> {
        let buckets = schema.buckets();
        if buckets == 0 || buckets > 1 << 16 {
            return Err(TabletError::UnsupportedBuckets { buckets });
        }
        for &index in schema.hash_columns() {
            let column = &schema.columns()[index];
            if !can_hash(&column.data_type) {
                return Err(TabletError::UnsupportedDistribution {
                    column: column.name.clone(),
                    data_type: column.data_type.to_string(),
                });
            }
        }
        let turn = (task % buckets) as usize * TURN_ROWS;
        Ok(Self { columns: schema.hash_columns().to_vec(), buckets, turn, hashes: Vec::new() })
    }

    /// Appends the number of the tablet of each row of `batch` to `routed`; `partitions` are those of the rows,
    /// if the table has any.
    pub(crate) fn route(
        &mut self,
        batch: &RecordBatch,
        partitions: Option<&[u32]>,
        numbers: &mut TabletNumbers,
        routed: &mut Vec<u16>,
    ) -> Result<(), TabletError> {
        let first = routed.len();
        self.route_to_buckets(batch, routed)?;
        let Some(partitions) = partitions else { return Ok(()) };
        for (routed, partition) in routed[first..].iter_mut().zip(partitions) {
            *routed = numbers.number(Tablet { partition: *partition, bucket: *routed });
        }
        Ok(())
    }

    /// Appends the bucket of each row of `batch` to `routed`.
    pub(crate) fn route_to_buckets(
        &mut self,
        batch: &RecordBatch,
        routed: &mut Vec<u16>,
    ) -> Result<(), TabletError> {
        let rows = batch.num_rows();
        routed.reserve(rows);
        if self.buckets == 1 {
            routed.resize(routed.len() + rows, 0);
            return Ok(());
        }
        if self.columns.is_empty() {
            self.route_by_turns(rows, routed);
            return Ok(());
        }
        self.hashes.clear();
        self.hashes.resize(rows, 0);
        for &column in &self.columns {
            hash_column(batch.column(column), &mut self.hashes)?;
        }
        let buckets = self.buckets;
        routed.extend(self.hashes.iter().map(|&hash| bucket(hash, buckets) as u16));
        Ok(())
    }

    fn route_by_turns(&mut self, rows: usize, routed: &mut Vec<u16>) {
        let mut left = rows;
        while left > 0 {
            let bucket = (self.turn / TURN_ROWS) % self.buckets as usize;
            let count = left.min(TURN_ROWS - self.turn % TURN_ROWS);
            routed.resize(routed.len() + count, bucket as u16);
            self.turn += count;
            left -= count;
        }
    }
}

/// Whether columns of the type can decide a row's bucket (design §3).
pub fn can_hash(data_type: &DataType) -> bool {
    match data_type {
        DataType::Boolean
        | DataType::Float
        | DataType::Double
        | DataType::Json
        | DataType::Array(_)
        | DataType::Map(..)
        | DataType::Struct(_) => false,
        DataType::TinyInt
        | DataType::SmallInt
        | DataType::Int
        | DataType::BigInt
        | DataType::LargeInt
        | DataType::Decimal { .. }
        | DataType::Date
        | DataType::DateTime
        | DataType::Char(_)
        | DataType::Varchar(_)
        | DataType::String
        | DataType::Varbinary(_) => true,
    }
}

/// Folds the hashes of one column into the hashes of its rows.
fn hash_column(column: &dyn Array, hashes: &mut [i32]) -> Result<(), TabletError> {
    match column.data_type() {
        ArrowType::Int8 => hash_values::<Int8Type>(column, hashes, |v| hash_long(i64::from(v))),
        ArrowType::Int16 => hash_values::<Int16Type>(column, hashes, |v| hash_long(i64::from(v))),
        ArrowType::Int32 => hash_values::<Int32Type>(column, hashes, |v| hash_long(i64::from(v))),
        ArrowType::Int64 => hash_values::<Int64Type>(column, hashes, hash_long),
        ArrowType::Date32 => hash_values::<Date32Type>(column, hashes, |v| hash_long(i64::from(v))),
        ArrowType::Timestamp(TimeUnit::Microsecond, None) => {
            hash_values::<TimestampMicrosecondType>(column, hashes, hash_long);
        }
        ArrowType::Decimal128(..) => hash_values::<Decimal128Type>(column, hashes, hash_decimal),
        ArrowType::Utf8 => {
            let values = column.as_string::<i32>();
            fold(column, hashes, |row| hash_bytes(values.value(row).as_bytes()));
        }
        ArrowType::Binary => {
            let values = column.as_binary::<i32>();
            fold(column, hashes, |row| hash_bytes(values.value(row)));
        }
        ArrowType::Dictionary(key, value)
            if **key == ArrowType::Int32 && matches!(**value, ArrowType::Utf8 | ArrowType::Binary) =>
        {
            let dictionary = column.as_dictionary::<Int32Type>();
            // One hash a distinct value; a NULL among the values is a NULL of the rows that point at it.
            let mut of_value = vec![0; dictionary.values().len()];
            hash_column(dictionary.values().as_ref(), &mut of_value)?;
            let keys = dictionary.keys().values();
            fold(column, hashes, |row| of_value[keys[row] as usize]);
        }
        other => return Err(TabletError::WrongBatch(format!("cannot hash a column of Arrow type {other}"))),
    }
    Ok(())
}

fn hash_values<T: ArrowPrimitiveType>(column: &dyn Array, hashes: &mut [i32], of: impl Fn(T::Native) -> i32) {
    let values = column.as_primitive::<T>().values();
    if column.null_count() == 0 {
        for (hash, value) in hashes.iter_mut().zip(values.iter()) {
            *hash = combine(*hash, of(*value));
        }
    } else {
        fold(column, hashes, |row| of(values[row]));
    }
}

/// `of` is asked for the rows that are not NULL.
fn fold(column: &dyn Array, hashes: &mut [i32], of: impl Fn(usize) -> i32) {
    match column.nulls() {
        None => {
            for (row, hash) in hashes.iter_mut().enumerate() {
                *hash = combine(*hash, of(row));
            }
        }
        Some(nulls) => {
            for (row, hash) in hashes.iter_mut().enumerate() {
                *hash = combine(*hash, if nulls.is_valid(row) { of(row) } else { 0 });
            }
        }
    }
}
