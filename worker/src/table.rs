//! What a Table declares, as the storage crate knows it; and what a worker does with the table itself.

use longshore_crds::{CompressionSpec, TableSpec};
use longshore_storage::schema::{
    Column, Compression, DefaultValue, Distribution, Place, SchemaError, TableDefinition,
};
use longshore_storage::types::{DataType, TypeError};

use crate::convert::{MappingError, check_default};

mod error;
mod infer;
mod partitions;
mod status;
pub mod task;

pub use error::TableTaskError;
pub use infer::{origin, resolved};
pub use status::{columns, figures};

/// Why a Table's spec makes no table; the message begins with the field.
#[derive(Debug, thiserror::Error)]
pub enum TableSpecError {
    /// The text of a type.
    #[error("spec.columns[{index}].type: {error}")]
    Type {
        /// Index of the column.
        index: usize,
        /// What is wrong with it.
        error: TypeError,
    },
    /// A default that no load could use.
    #[error("spec.columns[{index}].default: {error}")]
    Default {
        /// Index of the column.
        index: usize,
        /// What is wrong with it.
        error: MappingError,
    },
    /// Neither `hash` nor `random`, or both.
    #[error("spec.distribution: state exactly one of hash and random")]
    Distribution,
    /// A part of `partitionBy` that says nothing, or too much.
    #[error("{field}: {problem}")]
    Partitions {
        /// Path of the field in the manifest.
        field: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Anything else.
    #[error("{field}: {error}")]
    Schema {
        /// Path of the field in the manifest.
        field: String,
        /// What is wrong with it.
        error: SchemaError,
    },
}

impl TableSpecError {
    /// Stable name of this class of error.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Type { error, .. } => error.category(),
            Self::Default { error, .. } => error.category(),
            Self::Distribution => "InvalidDistribution",
            Self::Partitions { .. } => "InvalidPartition",
            Self::Schema { error, .. } => error.category(),
        }
    }
}

/// Reads a Table's spec and checks it whole.
pub fn definition(spec: &TableSpec) -> Result<TableDefinition, TableSpecError> {
    let columns = spec.columns.iter().enumerate().map(|(index, column)| {
        let data_type =
            DataType::parse(&column.data_type).map_err(|error| TableSpecError::Type { index, error })?;
        Ok(Column {
            name: column.name.clone(),
            data_type,
            nullable: column.nullable,
            default: column.default.as_deref().map(DefaultValue::parse),
        })
    });
    let definition = TableDefinition {
        columns: columns.collect::<Result<_, _>>()?,
        key: spec.key.columns.clone(),
        order_by: spec.order_by.clone(),
        partition_by: partitions::partition_by(&spec.partition_by)?,
        distribution: distribution(spec)?,
        compression: match spec.storage.compression {
            CompressionSpec::Zstd => Compression::Zstd,
            CompressionSpec::Lz4 => Compression::Lz4,
            CompressionSpec::Snappy => Compression::Snappy,
            CompressionSpec::None => Compression::None,
        },
    };
    definition.validate().map_err(|error| {
        let field = field(error.place(), &definition);
        TableSpecError::Schema { field, error }
    })?;
    // By the very rules of a load: what passes here never fails there.
    for (index, column) in definition.columns.iter().enumerate() {
        check_default(column).map_err(|error| TableSpecError::Default { index, error })?;
    }
    Ok(definition)
}

fn distribution(spec: &TableSpec) -> Result<Distribution, TableSpecError> {
    match (&spec.distribution.hash, &spec.distribution.random) {
        (Some(hash), None) => Ok(Distribution::Hash { columns: hash.columns.clone(), buckets: hash.buckets }),
        (None, Some(random)) => Ok(Distribution::Random { buckets: random.buckets }),
        _ => Err(TableSpecError::Distribution),
    }
}

fn field(place: Place, definition: &TableDefinition) -> String {
    match place {
        Place::Columns => "spec.columns".to_owned(),
        Place::ColumnName(index) => format!("spec.columns[{index}].name"),
        Place::ColumnType(index) => format!("spec.columns[{index}].type"),
        Place::ColumnDefault(index) => format!("spec.columns[{index}].default"),
        Place::Key(index) => format!("spec.key.columns[{index}]"),
        Place::OrderBy(index) => format!("spec.orderBy[{index}]"),
        Place::Partitions | Place::PartitionColumn(_) | Place::Partition(_) => {
            partitions::field(place, &definition.partition_by)
        }
        Place::HashColumns => "spec.distribution.hash.columns".to_owned(),
        Place::HashColumn(index) => format!("spec.distribution.hash.columns[{index}]"),
        Place::Buckets => match definition.distribution {
            Distribution::Hash { .. } => "spec.distribution.hash.buckets".to_owned(),
            Distribution::Random { .. } => "spec.distribution.random.buckets".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use longshore_crds::{
        ColumnSpec, DistributionSpec, HashDistribution, KeySpec, RandomDistribution, StorageSpec,
    };

    use longshore_storage::schema::PartitionBy;

    use super::*;

    fn column(name: &str, data_type: &str, default: Option<&str>) -> ColumnSpec {
        ColumnSpec {
            name: name.to_owned(),
            data_type: data_type.to_owned(),
            nullable: false,
            default: default.map(str::to_owned),
        }
    }

    fn spec() -> TableSpec {
        TableSpec {
            columns: vec![
                column("id", "int", None),
                column("at", "Datetime", Some("current_timestamp")),
                column("name", "varchar(40)", Some("x")),
            ],
            infer_from: None,
            key: KeySpec { columns: vec!["id".to_owned()], ..KeySpec::default() },
            order_by: vec!["at".to_owned()],
            partition_by: Vec::new(),
            distribution: DistributionSpec {
                hash: Some(HashDistribution { columns: vec!["id".to_owned()], buckets: 4 }),
                random: None,
            },
            storage: StorageSpec { compression: CompressionSpec::Lz4, ..StorageSpec::default() },
            maintenance: longshore_crds::MaintenanceSpec::default(),
            service_accounts: Vec::new(),
            worker: longshore_crds::WorkerSpec::default(),
        }
    }

    fn refusal(edit: impl FnOnce(&mut TableSpec)) -> String {
        let mut spec = spec();
        edit(&mut spec);
        definition(&spec).unwrap_err().to_string()
    }

    #[test]
    fn every_field_reaches_the_definition() {
        let column = |name: &str, data_type, default| Column {
            name: name.to_owned(),
            data_type,
            nullable: false,
            default,
        };
        let expected = TableDefinition {
            columns: vec![
                column("id", DataType::Int, None),
                column("at", DataType::DateTime, Some(DefaultValue::CurrentTimestamp)),
                column("name", DataType::Varchar(40), Some(DefaultValue::Literal("x".to_owned()))),
            ],
            key: vec!["id".to_owned()],
            order_by: vec!["at".to_owned()],
            partition_by: PartitionBy::None,
            distribution: Distribution::Hash { columns: vec!["id".to_owned()], buckets: 4 },
            compression: Compression::Lz4,
        };
        assert_eq!(definition(&spec()).unwrap(), expected);
    }

    #[test]
    fn an_error_begins_with_the_field_of_the_manifest() {
        for (message, beginning) in [
            (
                refusal(|spec| spec.columns[2].data_type = "VARCHAR".to_owned()),
                "spec.columns[2].type: `VARCHAR` is not a type: ",
            ),
            (
                refusal(|spec| spec.columns[1].data_type = "HLL".to_owned()),
                "spec.columns[1].type: HLL is not supported; ",
            ),
            (
                refusal(|spec| spec.columns[2].name = "ID".to_owned()),
                "spec.columns[2].name: column `ID` is declared twice",
            ),
            (
                refusal(|spec| spec.columns[0].default = Some("x".to_owned())),
                "spec.columns[0].default: column `id`: the default `x` is no INT; ",
            ),
            (
                refusal(|spec| spec.key.columns.push("no".to_owned())),
                "spec.key.columns[1]: column `no` is not declared; ",
            ),
            (
                refusal(|spec| spec.order_by.push("no".to_owned())),
                "spec.orderBy[1]: column `no` is not declared; ",
            ),
            (
                refusal(|spec| spec.distribution.hash.as_mut().unwrap().buckets = 0),
                "spec.distribution.hash.buckets: 0 buckets; ",
            ),
            (
                refusal(|spec| spec.distribution.hash.as_mut().unwrap().columns.clear()),
                "spec.distribution.hash.columns: a hash distribution needs",
            ),
            (
                refusal(|spec| spec.distribution.random = Some(RandomDistribution { buckets: 1 })),
                "spec.distribution: state exactly one of hash and random",
            ),
            (refusal(|spec| spec.columns.clear()), "spec.columns: a table has 1 to 1000 columns, not 0"),
        ] {
            assert!(message.starts_with(beginning), "{message}");
        }
    }
}
