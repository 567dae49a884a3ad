//! What is wrong with a table's definition, by column.

use std::collections::HashMap;

use super::default::literal_problem;
use super::{Column, DefaultValue, Distribution, MAX_DECLARED_PARTITIONS, TableDefinition};
use crate::types::DataType;

/// Most columns of a table.
pub const MAX_COLUMNS: usize = 1_000;
/// Most bytes of a column's name.
pub const MAX_COLUMN_NAME_BYTES: usize = 255;
/// Most buckets of a partition.
pub const MAX_BUCKETS: u32 = 4_096;
/// Bytes of a uuid as text.
const UUID_BYTES: u32 = 36;
/// What Delta refuses in the name of a column.
const FORBIDDEN_IN_NAMES: &[char] = &[' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '='];

/// The part of a definition that an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The list of columns.
    Columns,
    /// The name of the column with this index (or of a part of its type).
    ColumnName(usize),
    /// The type of the column with this index.
    ColumnType(usize),
    /// The default of the column with this index.
    ColumnDefault(usize),
    /// The key column with this index.
    Key(usize),
    /// The column of the sort key with this index.
    OrderBy(usize),
    /// The column of the hash distribution with this index.
    HashColumn(usize),
    /// The columns of the hash distribution.
    HashColumns,
    /// The number of buckets.
    Buckets,
    /// The partitions as a whole.
    Partitions,
    /// The partition column with this index.
    PartitionColumn(usize),
    /// The declared partition with this index.
    Partition(usize),
}

/// Why a definition makes no table. Each message names the column and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// No column, or more than [`MAX_COLUMNS`].
    #[error("a table has 1 to {MAX_COLUMNS} columns, not {count}")]
    ColumnCount {
        /// Columns declared.
        count: usize,
    },
    /// A name that Delta or the file system cannot hold.
    #[error("column `{name}`: {problem}; choose another name")]
    Name {
        /// Where.
        place: Place,
        /// The name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// Two names that differ in nothing but case.
    #[error("column `{name}` is declared twice (names are equal regardless of case: `{other}`); rename one")]
    DuplicateName {
        /// Where the second stands.
        place: Place,
        /// The second.
        name: String,
        /// The first.
        other: String,
    },
    /// A key, sort or hash column that is not declared.
    #[error("column `{name}` is not declared; the columns are {known}")]
    UnknownColumn {
        /// Where.
        place: Place,
        /// The name.
        name: String,
        /// The declared names.
        known: String,
    },
    /// A key, sort or hash column that is named twice.
    #[error("column `{name}` is named twice; name it once")]
    RepeatedColumn {
        /// Where the second stands.
        place: Place,
        /// The name.
        name: String,
    },
    /// A key, sort or hash column of a type that cannot be one.
    #[error("column `{name}` is {data_type}, which cannot be {role}; use {instead}")]
    UnsuitableType {
        /// Where.
        place: Place,
        /// The column.
        name: String,
        /// Its type.
        data_type: DataType,
        /// What it was to be.
        role: &'static str,
        /// Types that can.
        instead: &'static str,
    },
    /// A hash distribution over no column.
    #[error("a hash distribution needs at least one column; name one, or use `random`")]
    NoHashColumns,
    /// A number of buckets out of range.
    #[error("{buckets} buckets; use 1 to {MAX_BUCKETS}")]
    Buckets {
        /// The number.
        buckets: u32,
    },
    /// Partitions by no column.
    #[error("partitions need at least one column; name one, or leave `partitionBy` out")]
    NoPartitionColumns,
    /// No declared partition, or more than [`MAX_DECLARED_PARTITIONS`].
    #[error("{count} partitions are declared; declare 1 to {MAX_DECLARED_PARTITIONS}")]
    PartitionCount {
        /// Partitions declared.
        count: usize,
    },
    /// A name of a partition that cannot be one.
    #[error("partition `{name}`: {problem}")]
    PartitionName {
        /// Where.
        place: Place,
        /// The name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A declared partition whose values make none.
    #[error("partition `{partition}` of `{columns}`: {problem}")]
    Partition {
        /// Where.
        place: Place,
        /// Its name.
        partition: String,
        /// The columns that decide.
        columns: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A default that its column cannot take.
    #[error("column `{name}`: {problem}")]
    Default {
        /// Where.
        place: Place,
        /// The column.
        name: String,
        /// What is wrong, and what to do.
        problem: String,
    },
}

impl SchemaError {
    /// Stable name of this class of error.
    pub fn category(&self) -> &'static str {
        match self {
            Self::ColumnCount { .. } => "InvalidColumnCount",
            Self::Name { .. } => "InvalidColumnName",
            Self::DuplicateName { .. } => "DuplicateColumn",
            Self::UnknownColumn { .. } => "UnknownColumn",
            Self::RepeatedColumn { .. } => "RepeatedColumn",
            Self::UnsuitableType { .. } => "UnsuitableType",
            Self::NoHashColumns | Self::Buckets { .. } => "InvalidDistribution",
            Self::NoPartitionColumns
            | Self::PartitionCount { .. }
            | Self::PartitionName { .. }
            | Self::Partition { .. } => "InvalidPartition",
            Self::Default { .. } => "InvalidDefault",
        }
    }

    /// The part of the definition that is wrong.
    pub fn place(&self) -> Place {
        match self {
            Self::ColumnCount { .. } => Place::Columns,
            Self::NoHashColumns => Place::HashColumns,
            Self::Buckets { .. } => Place::Buckets,
            Self::NoPartitionColumns | Self::PartitionCount { .. } => Place::Partitions,
            Self::Name { place, .. }
            | Self::DuplicateName { place, .. }
            | Self::UnknownColumn { place, .. }
            | Self::RepeatedColumn { place, .. }
            | Self::UnsuitableType { place, .. }
            | Self::PartitionName { place, .. }
            | Self::Partition { place, .. }
            | Self::Default { place, .. } => *place,
        }
    }
}

impl TableDefinition {
    /// Checks everything that makes a definition a table (design §3); the first fault is returned.
    pub fn validate(&self) -> Result<(), SchemaError> {
        if self.columns.is_empty() || self.columns.len() > MAX_COLUMNS {
            return Err(SchemaError::ColumnCount { count: self.columns.len() });
        }
        validate_names(self.columns.iter().map(|c| c.name.as_str()), "", Place::ColumnName)?;
        for (index, column) in self.columns.iter().enumerate() {
            validate_nested_names(&column.data_type, &column.name, Place::ColumnType(index))?;
            validate_default(column, index)?;
        }
        self.validate_role(&self.key, Place::Key, &KEY)?;
        self.validate_role(&self.order_by, Place::OrderBy, &SORT_KEY)?;
        self.validate_partitions()?;
        self.validate_distribution()
    }

    fn validate_distribution(&self) -> Result<(), SchemaError> {
        let (Distribution::Hash { buckets, .. } | Distribution::Random { buckets }) = &self.distribution;
        if let Distribution::Hash { columns, .. } = &self.distribution {
            if columns.is_empty() {
                return Err(SchemaError::NoHashColumns);
            }
            self.validate_role(columns, Place::HashColumn, &HASH_COLUMN)?;
        }
        if !(1..=MAX_BUCKETS).contains(buckets) {
            return Err(SchemaError::Buckets { buckets: *buckets });
        }
        Ok(())
    }

    pub(super) fn validate_role(
        &self,
        names: &[String],
        place: impl Fn(usize) -> Place,
        role: &Role,
    ) -> Result<(), SchemaError> {
        for (index, name) in names.iter().enumerate() {
            let place = place(index);
            if names[..index].iter().any(|earlier| earlier.eq_ignore_ascii_case(name)) {
                return Err(SchemaError::RepeatedColumn { place, name: name.clone() });
            }
            let Some(column) = self.columns.iter().find(|c| c.name.eq_ignore_ascii_case(name)) else {
                let known: Vec<&str> = self.columns.iter().map(|c| c.name.as_str()).collect();
                return Err(SchemaError::UnknownColumn {
                    place,
                    name: name.clone(),
                    known: known.join(", "),
                });
            };
            if (role.refuses)(&column.data_type) {
                return Err(SchemaError::UnsuitableType {
                    place,
                    name: column.name.clone(),
                    data_type: column.data_type.clone(),
                    role: role.name,
                    instead: role.instead,
                });
            }
        }
        Ok(())
    }
}

/// What a column may be named for, beside holding values.
pub(super) struct Role {
    pub(super) name: &'static str,
    pub(super) refuses: fn(&DataType) -> bool,
    pub(super) instead: &'static str,
}

const ORDERED_TYPES: &str =
    "BOOLEAN, an integer, DECIMAL, DATE, DATETIME, CHAR, VARCHAR, STRING or VARBINARY column";

const KEY: Role = Role { name: "a key column", refuses: has_no_key_order, instead: ORDERED_TYPES };

const SORT_KEY: Role =
    Role { name: "a column of the sort key", refuses: has_no_key_order, instead: ORDERED_TYPES };

const HASH_COLUMN: Role = Role {
    name: "a column of the hash distribution",
    refuses: |data_type| has_no_key_order(data_type) || *data_type == DataType::Boolean,
    instead: "an integer, DECIMAL, DATE, DATETIME, CHAR, VARCHAR, STRING or VARBINARY column",
};

/// FLOAT and DOUBLE are never a key in StarRocks: two values that print alike need not be equal.
pub(super) fn has_no_key_order(data_type: &DataType) -> bool {
    data_type.is_nested() || matches!(data_type, DataType::Float | DataType::Double | DataType::Json)
}

/// Checks the names of one level; `parent` is the path above, empty for columns.
fn validate_names<'a>(
    names: impl Iterator<Item = &'a str>,
    parent: &str,
    place: impl Fn(usize) -> Place,
) -> Result<(), SchemaError> {
    let path = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
    let mut seen: HashMap<String, &str> = HashMap::new();
    for (index, name) in names.enumerate() {
        if let Some(problem) = name_problem(name) {
            return Err(SchemaError::Name { place: place(index), name: path(name), problem });
        }
        if let Some(other) = seen.insert(name.to_lowercase(), name) {
            return Err(SchemaError::DuplicateName {
                place: place(index),
                name: path(name),
                other: path(other),
            });
        }
    }
    Ok(())
}

fn name_problem(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("a column has a name".to_owned());
    }
    if name.len() > MAX_COLUMN_NAME_BYTES {
        return Some(format!("the name has {} bytes, more than {MAX_COLUMN_NAME_BYTES}", name.len()));
    }
    let forbidden = name.chars().find(|c| FORBIDDEN_IN_NAMES.contains(c) || c.is_control())?;
    Some(format!("{forbidden:?} cannot stand in the name of a column"))
}

fn validate_nested_names(data_type: &DataType, path: &str, place: Place) -> Result<(), SchemaError> {
    match data_type {
        DataType::Array(element) => validate_nested_names(element, path, place),
        DataType::Map(key, value) => {
            validate_nested_names(key, path, place)?;
            validate_nested_names(value, path, place)
        }
        DataType::Struct(fields) => {
            validate_names(fields.iter().map(|f| f.name.as_str()), path, |_| place)?;
            for field in fields {
                validate_nested_names(&field.data_type, &format!("{path}.{}", field.name), place)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn validate_default(column: &Column, index: usize) -> Result<(), SchemaError> {
    let Some(default) = &column.default else { return Ok(()) };
    let problem = match (default, &column.data_type) {
        (DefaultValue::CurrentTimestamp, DataType::DateTime) => None,
        (DefaultValue::CurrentTimestamp, other) => {
            Some(format!("CURRENT_TIMESTAMP is a default of DATETIME columns, this one is {other}"))
        }
        (DefaultValue::Uuid, DataType::String) => None,
        (DefaultValue::Uuid, DataType::Varchar(n) | DataType::Char(n)) if *n >= UUID_BYTES => None,
        (DefaultValue::Uuid, other) => Some(format!(
            "uuid() is a default of text columns of at least {UUID_BYTES} bytes, this one is {other}; use VARCHAR({UUID_BYTES})"
        )),
        (DefaultValue::Literal(text), data_type) => literal_problem(text, data_type),
    };
    match problem {
        None => Ok(()),
        Some(problem) => Err(SchemaError::Default {
            place: Place::ColumnDefault(index),
            name: column.name.clone(),
            problem,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::PartitionBy;

    fn column(name: &str, data_type: &str) -> Column {
        Column {
            name: name.to_owned(),
            data_type: DataType::parse(data_type).unwrap(),
            nullable: true,
            default: None,
        }
    }

    fn table(columns: &[(&str, &str)]) -> TableDefinition {
        TableDefinition {
            columns: columns.iter().map(|(name, data_type)| column(name, data_type)).collect(),
            key: Vec::new(),
            order_by: Vec::new(),
            partition_by: PartitionBy::None,
            distribution: Distribution::Random { buckets: 1 },
            compression: super::super::Compression::Zstd,
        }
    }

    fn refusal(definition: &TableDefinition) -> (Place, String) {
        let error = definition.validate().unwrap_err();
        (error.place(), error.to_string())
    }

    #[test]
    fn a_table_of_every_role_is_taken() {
        let mut definition = table(&[("id", "INT"), ("name", "VARCHAR(3)"), ("s", "STRUCT<a INT,b STRING>")]);
        definition.key = vec!["ID".to_owned()];
        definition.order_by = vec!["name".to_owned(), "id".to_owned()];
        definition.distribution = Distribution::Hash { columns: vec!["id".to_owned()], buckets: 4096 };
        assert_eq!(definition.validate(), Ok(()));
    }

    #[test]
    fn names_are_unique_regardless_of_case_and_hold_nothing_that_delta_refuses() {
        assert_eq!(
            refusal(&table(&[("a", "INT"), ("b", "INT"), ("A", "INT")])),
            (
                Place::ColumnName(2),
                "column `A` is declared twice (names are equal regardless of case: `a`); rename one"
                    .to_owned()
            )
        );
        assert_eq!(
            refusal(&table(&[("a b", "INT")])),
            (
                Place::ColumnName(0),
                "column `a b`: ' ' cannot stand in the name of a column; choose another name".to_owned()
            )
        );
        for name in [",", ";", "{", "}", "(", ")", "\n", "\t", "=", "", &"x".repeat(256)] {
            assert_eq!(refusal(&table(&[(name, "INT")])).0, Place::ColumnName(0), "{name:?}");
        }
        assert_eq!(table(&[(&"x".repeat(255), "INT"), ("größe", "INT")]).validate(), Ok(()));
    }

    #[test]
    fn nested_names_are_checked_with_their_path() {
        let (place, message) = refusal(&table(&[("s", "ARRAY<STRUCT<t STRUCT<x INT,X INT>>>")]));
        assert_eq!(place, Place::ColumnType(0));
        assert!(message.starts_with("column `s.t.X` is declared twice"), "{message}");
        assert_eq!(table(&[("s", "STRUCT<x INT>"), ("t", "STRUCT<x INT>")]).validate(), Ok(()));
    }

    #[test]
    fn roles_name_declared_columns_of_suitable_types_once() {
        let mut definition = table(&[("id", "INT"), ("f", "DOUBLE"), ("j", "JSON"), ("b", "BOOLEAN")]);
        definition.key = vec!["nope".to_owned()];
        assert_eq!(
            refusal(&definition),
            (Place::Key(0), "column `nope` is not declared; the columns are id, f, j, b".to_owned())
        );
        definition.key = vec!["id".to_owned(), "ID".to_owned()];
        assert_eq!(refusal(&definition).0, Place::Key(1));
        definition.key = vec!["f".to_owned()];
        assert!(
            refusal(&definition).1.starts_with("column `f` is DOUBLE, which cannot be a key column; use ")
        );
        definition.key = Vec::new();
        definition.order_by = vec!["id".to_owned(), "j".to_owned()];
        assert_eq!(refusal(&definition).0, Place::OrderBy(1));
        definition.order_by = Vec::new();
        definition.distribution = Distribution::Hash { columns: vec!["b".to_owned()], buckets: 1 };
        assert_eq!(refusal(&definition).0, Place::HashColumn(0));
        definition.distribution = Distribution::Hash { columns: Vec::new(), buckets: 1 };
        assert_eq!(refusal(&definition).0, Place::HashColumns);
        for buckets in [0, 4097] {
            definition.distribution = Distribution::Random { buckets };
            assert_eq!(refusal(&definition), (Place::Buckets, format!("{buckets} buckets; use 1 to 4096")));
        }
        assert_eq!(refusal(&table(&[])).0, Place::Columns);
    }

    #[test]
    fn defaults_fit_their_column() {
        for (data_type, default, fits) in [
            ("DATETIME", "CURRENT_TIMESTAMP", true),
            ("DATETIME", "current_timestamp()", true),
            ("DATE", "CURRENT_TIMESTAMP", false),
            ("VARCHAR(36)", "uuid()", true),
            ("STRING", "UUID()", true),
            ("VARCHAR(35)", "uuid()", false),
            ("INT", "uuid()", false),
            ("INT", "12", true),
            ("ARRAY<INT>", "[]", false),
        ] {
            let mut definition = table(&[("c", data_type)]);
            definition.columns[0].default = Some(DefaultValue::parse(default));
            let result = definition.validate();
            assert_eq!(result.is_ok(), fits, "{data_type} {default}: {result:?}");
            if let Err(error) = result {
                assert_eq!(error.place(), Place::ColumnDefault(0));
                assert!(error.to_string().starts_with("column `c`: "));
            }
        }
    }
}
