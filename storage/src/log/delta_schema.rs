//! A table's definition as Delta's schema and properties, and back.
//!
//! The Delta schema tells other engines; what Delta has no word for (declared type, length, default, key,
//! order, distribution) stands in field metadata and properties under `longshore.`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::actions::{Format, Metadata};
use super::stats;
use crate::schema::{Column, Compression, DefaultValue, Distribution, PartitionBy, TableDefinition};
use crate::types::{DataType, LARGEINT_PRECISION};

const TYPE: &str = "longshore.type";
const DEFAULT: &str = "longshore.default";
const DEFAULT_FUNCTION: &str = "longshore.defaultFunction";
const ORIGIN: &str = "longshore.origin";
const KEY: &str = "longshore.key";
const ORDER_BY: &str = "longshore.orderBy";
const DISTRIBUTION: &str = "longshore.distribution";
const PARTITION_BY: &str = "longshore.partitionBy";
const COMPRESSION: &str = "longshore.compression";
/// Property of our tables: the version of their layout.
pub(crate) const LAYOUT_VERSION: &str = "longshore.layoutVersion";
const STATISTICS_COLUMNS: &str = "delta.dataSkippingStatsColumns";
/// Other engines that checkpoint would clean commits by age; ours are needed until their records are folded.
const LOG_CLEANUP: &str = "delta.enableExpiredLogCleanup";

const CURRENT_TIMESTAMP: &str = "CURRENT_TIMESTAMP";
const UUID: &str = "uuid()";

/// The distribution as it stands in a property.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum DistributionProperty {
    Hash { columns: Vec<String>, buckets: u32 },
    Random { buckets: u32 },
}

/// The `metaData` action of a new table.
pub(crate) fn metadata(
    definition: &TableDefinition,
    id: String,
    layout_version: u64,
    created_ms: i64,
) -> Metadata {
    let distribution = match definition.distribution.clone() {
        Distribution::Hash { columns, buckets } => DistributionProperty::Hash { columns, buckets },
        Distribution::Random { buckets } => DistributionProperty::Random { buckets },
    };
    let mut configuration = BTreeMap::from([
        (KEY.to_owned(), json!(definition.key).to_string()),
        (ORDER_BY.to_owned(), json!(definition.order_by).to_string()),
        (DISTRIBUTION.to_owned(), json!(distribution).to_string()),
        (COMPRESSION.to_owned(), compression_name(definition.compression).to_owned()),
        (LAYOUT_VERSION.to_owned(), layout_version.to_string()),
    ]);
    if !definition.partition_by.is_none() {
        configuration.insert(PARTITION_BY.to_owned(), json!(definition.partition_by).to_string());
    }
    configuration.insert(LOG_CLEANUP.to_owned(), "false".to_owned());
    configuration.insert(STATISTICS_COLUMNS.to_owned(), statistics_columns(definition).join(","));
    Metadata {
        id,
        name: None,
        description: None,
        format: Format::parquet(),
        schema_string: schema_json(&definition.columns).to_string(),
        partition_columns: Vec::new(),
        configuration,
        created_time: Some(created_ms),
    }
}

/// Where a column came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A person declared it.
    Declared,
    /// A load found it in its source.
    Drift,
}

impl Origin {
    fn name(self) -> &'static str {
        match self {
            Self::Declared => "Declared",
            Self::Drift => "Drift",
        }
    }
}

/// The `metaData` action of a table that gets more columns, at its end. `definition` is the table's with
/// them. What others wrote into the metadata stays.
pub(crate) fn with_columns(
    metadata: &Metadata,
    definition: &TableDefinition,
    added: &[Column],
    origin: Origin,
) -> Result<Metadata, String> {
    let mut schema: Value = serde_json::from_str(&metadata.schema_string)
        .map_err(|e| format!("the schema cannot be read: {e}"))?;
    let fields = schema.get_mut("fields").and_then(Value::as_array_mut);
    let fields = fields.ok_or_else(|| "the schema has no fields".to_owned())?;
    fields.extend(added.iter().map(|column| field_json(column, origin)));
    let mut metadata = Metadata { schema_string: schema.to_string(), ..metadata.clone() };
    metadata.configuration.insert(STATISTICS_COLUMNS.to_owned(), statistics_columns(definition).join(","));
    Ok(metadata)
}

/// Reads a definition back; the error says what is missing or not ours.
pub(crate) fn definition(metadata: &Metadata) -> Result<TableDefinition, String> {
    let property = |name: &str| {
        metadata.configuration.get(name).ok_or_else(|| format!("the property {name} is missing"))
    };
    let names = |name: &str| -> Result<Vec<String>, String> {
        serde_json::from_str(property(name)?).map_err(|e| format!("the property {name}: {e}"))
    };
    let distribution = serde_json::from_str(property(DISTRIBUTION)?)
        .map_err(|e| format!("the property {DISTRIBUTION}: {e}"))?;
    let partition_by = match metadata.configuration.get(PARTITION_BY) {
        None => PartitionBy::None,
        Some(text) => serde_json::from_str(text).map_err(|e| format!("the property {PARTITION_BY}: {e}"))?,
    };
    let definition = TableDefinition {
        columns: columns(&metadata.schema_string)?,
        key: names(KEY)?,
        order_by: names(ORDER_BY)?,
        partition_by,
        distribution: match distribution {
            DistributionProperty::Hash { columns, buckets } => Distribution::Hash { columns, buckets },
            DistributionProperty::Random { buckets } => Distribution::Random { buckets },
        },
        compression: compression(property(COMPRESSION)?)?,
    };
    // Rows are put where it says: it must be whole.
    definition.validate_partitions().map_err(|e| format!("the property {PARTITION_BY}: {e}"))?;
    Ok(definition)
}

/// Names of the columns that a load found in its source.
pub(crate) fn drifted(schema_string: &str) -> Result<BTreeSet<String>, String> {
    let schema: Value =
        serde_json::from_str(schema_string).map_err(|e| format!("the schema cannot be read: {e}"))?;
    let fields = schema.get("fields").and_then(Value::as_array).ok_or("the schema has no fields")?;
    let drifted = fields.iter().filter(|field| field["metadata"][ORIGIN] == Origin::Drift.name());
    Ok(drifted.filter_map(|field| field["name"].as_str()).map(str::to_owned).collect())
}

/// Names of the columns that have statistics.
fn statistics_columns(definition: &TableDefinition) -> Vec<String> {
    let columns = stats::columns(definition);
    columns.into_iter().map(|column| quoted(&definition.columns[column].name)).collect()
}

/// A name as it stands in a list of column paths.
fn quoted(name: &str) -> String {
    if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        name.to_owned()
    } else {
        format!("`{}`", name.replace('`', "``"))
    }
}

fn schema_json(columns: &[Column]) -> Value {
    let fields: Vec<Value> = columns.iter().map(|column| field_json(column, Origin::Declared)).collect();
    json!({"type": "struct", "fields": fields})
}

fn field_json(column: &Column, origin: Origin) -> Value {
    let mut metadata = Map::new();
    metadata.insert(TYPE.to_owned(), json!(column.data_type.to_string()));
    metadata.insert(ORIGIN.to_owned(), json!(origin.name()));
    match &column.default {
        None => {}
        Some(DefaultValue::Literal(text)) => {
            metadata.insert(DEFAULT.to_owned(), json!(text));
        }
        Some(DefaultValue::CurrentTimestamp) => {
            metadata.insert(DEFAULT_FUNCTION.to_owned(), json!(CURRENT_TIMESTAMP));
        }
        Some(DefaultValue::Uuid) => {
            metadata.insert(DEFAULT_FUNCTION.to_owned(), json!(UUID));
        }
    }
    json!({
        "name": column.name,
        "type": delta_type(&column.data_type),
        "nullable": column.nullable,
        "metadata": metadata,
    })
}

/// Delta's name of a type.
fn delta_type(data_type: &DataType) -> Value {
    match data_type {
        DataType::Boolean => json!("boolean"),
        DataType::TinyInt => json!("byte"),
        DataType::SmallInt => json!("short"),
        DataType::Int => json!("integer"),
        DataType::BigInt => json!("long"),
        DataType::LargeInt => json!(format!("decimal({LARGEINT_PRECISION},0)")),
        DataType::Float => json!("float"),
        DataType::Double => json!("double"),
        DataType::Decimal { precision, scale } => json!(format!("decimal({precision},{scale})")),
        DataType::Date => json!("date"),
        DataType::DateTime => json!("timestamp_ntz"),
        DataType::Char(_) | DataType::Varchar(_) | DataType::String | DataType::Json => json!("string"),
        DataType::Varbinary(_) => json!("binary"),
        DataType::Array(element) => {
            json!({"type": "array", "elementType": delta_type(element), "containsNull": true})
        }
        DataType::Map(key, value) => json!({
            "type": "map",
            "keyType": delta_type(key),
            "valueType": delta_type(value),
            "valueContainsNull": true,
        }),
        DataType::Struct(fields) => {
            let fields: Vec<Value> = fields
                .iter()
                .map(|field| {
                    let data_type = delta_type(&field.data_type);
                    json!({"name": field.name, "type": data_type, "nullable": true, "metadata": {}})
                })
                .collect();
            json!({"type": "struct", "fields": fields})
        }
    }
}

fn columns(schema_string: &str) -> Result<Vec<Column>, String> {
    #[derive(Deserialize)]
    struct Schema {
        fields: Vec<Field>,
    }
    #[derive(Deserialize)]
    struct Field {
        name: String,
        #[serde(rename = "type")]
        data_type: Value,
        nullable: bool,
        #[serde(default)]
        metadata: Map<String, Value>,
    }
    let schema: Schema =
        serde_json::from_str(schema_string).map_err(|e| format!("the schema cannot be read: {e}"))?;
    schema
        .fields
        .into_iter()
        .map(|field| {
            let text = |name: &str| field.metadata.get(name).and_then(Value::as_str);
            let declared = text(TYPE)
                .ok_or_else(|| format!("column {} has no {TYPE}: another engine has made it", field.name))?;
            let data_type = DataType::parse(declared).map_err(|e| format!("column {}: {e}", field.name))?;
            if delta_type(&data_type) != field.data_type {
                return Err(format!(
                    "column {} is declared {declared} but has the Delta type {}",
                    field.name, field.data_type
                ));
            }
            let default = match (text(DEFAULT), text(DEFAULT_FUNCTION)) {
                (Some(literal), _) => Some(DefaultValue::Literal(literal.to_owned())),
                (None, Some(CURRENT_TIMESTAMP)) => Some(DefaultValue::CurrentTimestamp),
                (None, Some(UUID)) => Some(DefaultValue::Uuid),
                (None, Some(other)) => {
                    return Err(format!("column {} has the unknown default {other}", field.name));
                }
                (None, None) => None,
            };
            Ok(Column { name: field.name, data_type, nullable: field.nullable, default })
        })
        .collect()
}

fn compression_name(compression: Compression) -> &'static str {
    match compression {
        Compression::Zstd => "Zstd",
        Compression::Lz4 => "Lz4",
        Compression::Snappy => "Snappy",
        Compression::None => "None",
    }
}

fn compression(name: &str) -> Result<Compression, String> {
    [Compression::Zstd, Compression::Lz4, Compression::Snappy, Compression::None]
        .into_iter()
        .find(|known| compression_name(*known) == name)
        .ok_or_else(|| format!("the compression {name} is not known"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{PartitionRange, PartitionTerm, RangeEnd, RangePartition};

    fn wide() -> TableDefinition {
        let types = [
            "BOOLEAN",
            "TINYINT",
            "SMALLINT",
            "INT",
            "BIGINT",
            "LARGEINT",
            "FLOAT",
            "DOUBLE",
            "DECIMAL(10,2)",
            "DATE",
            "DATETIME",
            "CHAR(3)",
            "VARCHAR(20)",
            "STRING",
            "VARBINARY(7)",
            "VARBINARY",
            "JSON",
            "ARRAY<INT>",
            "MAP<STRING,DECIMAL(5,1)>",
            "STRUCT<a INT,b ARRAY<DATETIME>>",
        ];
        let column = |(index, text): (usize, &&str)| Column {
            name: format!("c{index}"),
            data_type: DataType::parse(text).unwrap(),
            nullable: index % 2 == 0,
            default: match index {
                3 => Some(DefaultValue::Literal("7".to_owned())),
                10 => Some(DefaultValue::CurrentTimestamp),
                13 => Some(DefaultValue::Uuid),
                _ => None,
            },
        };
        TableDefinition {
            columns: types.iter().enumerate().map(column).collect(),
            key: vec!["c3".to_owned()],
            order_by: vec!["c4".to_owned(), "c3".to_owned()],
            partition_by: PartitionBy::None,
            distribution: Distribution::Hash { columns: vec!["c13".to_owned()], buckets: 8 },
            compression: Compression::Lz4,
        }
    }

    #[test]
    fn every_type_and_property_comes_back() {
        let mut wide = wide();
        assert_eq!(definition(&metadata(&wide, "id".to_owned(), 1, 0)).unwrap(), wide);
        wide.distribution = Distribution::Random { buckets: 2 };
        wide.compression = Compression::None;
        wide.partition_by = PartitionBy::Range {
            column: "c10".to_owned(),
            partitions: vec![
                RangePartition {
                    name: "p".to_owned(),
                    range: PartitionRange::LessThan(RangeEnd::Value("2024-01-01".to_owned())),
                },
                RangePartition { name: "q".to_owned(), range: PartitionRange::LessThan(RangeEnd::MaxValue) },
            ],
        };
        assert_eq!(definition(&metadata(&wide, "id".to_owned(), 1, 0)).unwrap(), wide);
    }

    #[test]
    fn columns_are_added_and_what_others_wrote_stays() {
        let wide = wide();
        let mut before = metadata(&wide, "id".to_owned(), 1, 0);
        before.configuration.insert("theirs".to_owned(), "1".to_owned());
        before.schema_string = before.schema_string.replacen("Declared", "Elsewhere", 1);
        let new = Column {
            name: "new".to_owned(),
            data_type: DataType::DateTime,
            nullable: true,
            default: Some(DefaultValue::CurrentTimestamp),
        };
        let mut wider = wide;
        wider.columns.push(new.clone());
        let after = with_columns(&before, &wider, &[new], Origin::Drift).unwrap();
        assert_eq!(definition(&after).unwrap(), wider);
        assert_eq!(after.configuration["theirs"], "1");
        assert!(after.schema_string.contains("Elsewhere") && after.schema_string.contains("Drift"));
        assert_eq!(drifted(&after.schema_string).unwrap(), BTreeSet::from(["new".to_owned()]));
        assert!(after.configuration[STATISTICS_COLUMNS].ends_with(",new"));
    }

    #[test]
    fn a_column_that_another_engine_made_or_changed_is_named() {
        let good = metadata(&wide(), "id".to_owned(), 1, 0);
        let changed = |from: &str, to: &str| {
            let schema_string = good.schema_string.replacen(from, to, 1);
            assert_ne!(schema_string, good.schema_string);
            definition(&Metadata { schema_string, ..good.clone() }).unwrap_err()
        };
        assert!(changed("longshore.type", "other").contains("column c0 has no longshore.type"));
        let retyped = changed(r#""type":"boolean""#, r#""type":"long""#);
        assert!(retyped.contains("column c0 is declared BOOLEAN but has the Delta type"), "{retyped}");
        assert!(changed("uuid()", "random()").contains("column c13 has the unknown default random()"));
    }

    #[test]
    fn statistics_are_named_for_other_writers() {
        let metadata = metadata(&wide(), "id".to_owned(), 1, 0);
        let named = &metadata.configuration[STATISTICS_COLUMNS];
        assert!(named.starts_with("c4,c3,c13,c0,c1"), "{named}");
        let mut partitioned = wide();
        partitioned.partition_by = PartitionBy::Expression(vec![PartitionTerm::Column("c12".to_owned())]);
        let metadata = super::metadata(&partitioned, "id".to_owned(), 1, 0);
        let named = &metadata.configuration[STATISTICS_COLUMNS];
        assert!(named.starts_with("c4,c3,c12,c13,c0,c1"), "{named}");
        assert_eq!(quoted("a b"), "`a b`");
    }
}
