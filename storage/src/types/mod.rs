//! The column types of a table: StarRocks' names, Arrow's layout in memory, Delta's types on disk (design §3).

pub mod bucket_hash;
mod parse;

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Field, Fields, TimeUnit};

pub use parse::TypeError;

/// Digits of a LARGEINT, which is a DECIMAL(38,0).
pub const LARGEINT_PRECISION: u8 = 38;

/// Type of a column or of a part of one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DataType {
    /// `BOOLEAN`
    Boolean,
    /// `TINYINT`, 8 bits, signed
    TinyInt,
    /// `SMALLINT`, 16 bits, signed
    SmallInt,
    /// `INT`, 32 bits, signed
    Int,
    /// `BIGINT`, 64 bits, signed
    BigInt,
    /// `LARGEINT`: DECIMAL(38,0); values outside are filtered
    LargeInt,
    /// `FLOAT`, 32 bits
    Float,
    /// `DOUBLE`, 64 bits
    Double,
    /// `DECIMAL(p,s)`, 1 ≤ p ≤ 38, 0 ≤ s ≤ p
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits behind the point.
        scale: u8,
    },
    /// `DATE`
    Date,
    /// `DATETIME`: microseconds, no zone
    DateTime,
    /// `CHAR(n)`, n bytes
    Char(u32),
    /// `VARCHAR(n)`, n bytes
    Varchar(u32),
    /// `STRING`: no declared length
    String,
    /// `VARBINARY` or `VARBINARY(n)`, n bytes
    Varbinary(Option<u32>),
    /// `JSON`: text that parses
    Json,
    /// `ARRAY<T>`
    Array(Box<DataType>),
    /// `MAP<K,V>`
    Map(Box<DataType>, Box<DataType>),
    /// `STRUCT<name T, …>`
    Struct(Vec<StructField>),
}

/// A named part of a STRUCT.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StructField {
    /// Name.
    pub name: String,
    /// Type; parts of nested values are nullable.
    pub data_type: DataType,
}

impl DataType {
    /// The Arrow type of this type in memory and in segments. Maps and lists use the field names that
    /// the Parquet specification asks for (`key_value`, `key`, `value`, `element`).
    pub fn arrow(&self) -> ArrowType {
        match self {
            Self::Boolean => ArrowType::Boolean,
            Self::TinyInt => ArrowType::Int8,
            Self::SmallInt => ArrowType::Int16,
            Self::Int => ArrowType::Int32,
            Self::BigInt => ArrowType::Int64,
            Self::LargeInt => ArrowType::Decimal128(LARGEINT_PRECISION, 0),
            Self::Float => ArrowType::Float32,
            Self::Double => ArrowType::Float64,
            Self::Decimal { precision, scale } => ArrowType::Decimal128(*precision, scale.cast_signed()),
            Self::Date => ArrowType::Date32,
            Self::DateTime => ArrowType::Timestamp(TimeUnit::Microsecond, None),
            Self::Char(_) | Self::Varchar(_) | Self::String | Self::Json => ArrowType::Utf8,
            Self::Varbinary(_) => ArrowType::Binary,
            Self::Array(element) => ArrowType::List(Arc::new(Field::new("element", element.arrow(), true))),
            Self::Map(key, value) => {
                let entry = Fields::from(vec![
                    Field::new("key", key.arrow(), false),
                    Field::new("value", value.arrow(), true),
                ]);
                ArrowType::Map(Arc::new(Field::new("key_value", ArrowType::Struct(entry), false)), false)
            }
            Self::Struct(fields) => ArrowType::Struct(
                fields.iter().map(|f| Field::new(&f.name, f.data_type.arrow(), true)).collect::<Fields>(),
            ),
        }
    }

    /// Whether the type is ARRAY, MAP or STRUCT.
    pub fn is_nested(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Map(..) | Self::Struct(_))
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("BOOLEAN"),
            Self::TinyInt => f.write_str("TINYINT"),
            Self::SmallInt => f.write_str("SMALLINT"),
            Self::Int => f.write_str("INT"),
            Self::BigInt => f.write_str("BIGINT"),
            Self::LargeInt => f.write_str("LARGEINT"),
            Self::Float => f.write_str("FLOAT"),
            Self::Double => f.write_str("DOUBLE"),
            Self::Decimal { precision, scale } => write!(f, "DECIMAL({precision},{scale})"),
            Self::Date => f.write_str("DATE"),
            Self::DateTime => f.write_str("DATETIME"),
            Self::Char(length) => write!(f, "CHAR({length})"),
            Self::Varchar(length) => write!(f, "VARCHAR({length})"),
            Self::String => f.write_str("STRING"),
            Self::Varbinary(None) => f.write_str("VARBINARY"),
            Self::Varbinary(Some(length)) => write!(f, "VARBINARY({length})"),
            Self::Json => f.write_str("JSON"),
            Self::Array(element) => write!(f, "ARRAY<{element}>"),
            Self::Map(key, value) => write!(f, "MAP<{key},{value}>"),
            Self::Struct(fields) => {
                f.write_str("STRUCT<")?;
                for (index, field) in fields.iter().enumerate() {
                    if index > 0 {
                        f.write_str(",")?;
                    }
                    write!(f, "{} {}", field.name, field.data_type)?;
                }
                f.write_str(">")
            }
        }
    }
}
