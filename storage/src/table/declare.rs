//! What a person declares, against what stands: the table is made, taken as it is, or given more columns.
//! Any other difference is refused and changes nothing.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::{CommitError, Table, TableError, format};
use crate::durable::FileSystem;
use crate::log::compatible::differences;
use crate::log::delta_schema;
use crate::schema::{Column, TableDefinition};

/// How a declaration ended. Either way the table stands as declared, durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Declared {
    /// It was made now.
    Created,
    /// It stood so.
    Unchanged,
    /// It stood, and has more columns now.
    Altered {
        /// Their names.
        added: Vec<String>,
    },
}

impl Table {
    /// Makes the table, or takes the one that stands. A declaration states the least: columns that came by
    /// drift stay, declared or not. Columns that it lacks are added if they are nullable and stand at the end
    /// of the declaration; any other difference is [`TableError::DefinitionDiffers`], which names it.
    ///
    /// # Errors
    /// As [`create`](Self::create) and [`add_columns`](Self::add_columns); the table is as it was then.
    pub fn declare(
        files: Arc<dyn FileSystem>,
        root: &Path,
        definition: &TableDefinition,
    ) -> Result<(Self, Declared), CommitError> {
        definition.validate().map_err(|error| TableError::InvalidDefinition(error.to_string()))?;
        if !format::is_delta(files.as_ref(), root)? {
            return Ok((Self::create(files, root, definition)?, Declared::Created));
        }
        let mut table = Self::open(files, root)?;
        let missing = table.columns_to_add(definition)?;
        table.add_columns(&missing)?;
        if missing.is_empty() {
            return Ok((table, Declared::Unchanged));
        }
        let added = missing.into_iter().map(|column| column.name).collect();
        Ok((table, Declared::Altered { added }))
    }

    /// The columns that [`declare`](Self::declare) would add to this table.
    ///
    /// # Errors
    /// [`TableError::DefinitionDiffers`] if the definition differs in more than these.
    pub fn columns_to_add(&self, definition: &TableDefinition) -> Result<Vec<Column>, TableError> {
        let stands = without(self.schema().definition(), &self.drifted_columns()?, definition);
        missing(&stands, definition).map_err(|what| differs(self.root(), what))
    }

    /// Names of the columns that a load found in its source, and no one declared.
    ///
    /// # Errors
    /// The schema in the log cannot be read.
    pub fn drifted_columns(&self) -> Result<BTreeSet<String>, TableError> {
        let Some(metadata) = self.head.metadata() else { return Ok(BTreeSet::new()) };
        delta_schema::drifted(&metadata.schema_string)
            .map_err(|what| TableError::damaged(self.head.log().path(), what))
    }
}

fn differs(root: &Path, differences: String) -> TableError {
    TableError::DefinitionDiffers { path: root.to_owned(), differences }
}

/// The definition without columns that drifted in and are not declared.
fn without(
    stands: &TableDefinition,
    drifted: &BTreeSet<String>,
    declared: &TableDefinition,
) -> TableDefinition {
    let mut stands = stands.clone();
    stands.columns.retain(|column| !drifted.contains(&column.name) || has(declared, &column.name));
    stands
}

/// Columns that are declared and do not stand; an error names what cannot be mended by adding columns.
fn missing(stands: &TableDefinition, declared: &TableDefinition) -> Result<Vec<Column>, String> {
    let missing: Vec<Column> =
        declared.columns.iter().filter(|column| !has(stands, &column.name)).cloned().collect();
    if let Some(column) = missing.iter().find(|column| !column.nullable) {
        return Err(format!(
            "column {} is new and NOT NULL: rows that are there have no value for it; declare it nullable",
            column.name
        ));
    }
    let mut wider = stands.clone();
    wider.columns.extend(missing.iter().cloned());
    let mut differences = differences(&wider, declared);
    if !missing.is_empty() && differences.iter().any(|what| what.starts_with("the order of the columns")) {
        differences.push("new columns are declared at the end".to_owned());
    }
    if differences.is_empty() { Ok(missing) } else { Err(differences.join("; ")) }
}

fn has(definition: &TableDefinition, name: &str) -> bool {
    definition.columns.iter().any(|column| column.name.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Compression, Distribution, PartitionBy};
    use crate::types::DataType;

    fn definition(columns: &[(&str, DataType, bool)]) -> TableDefinition {
        let column = |(name, data_type, nullable): &(&str, DataType, bool)| Column {
            name: (*name).to_owned(),
            data_type: data_type.clone(),
            nullable: *nullable,
            default: None,
        };
        TableDefinition {
            columns: columns.iter().map(column).collect(),
            key: Vec::new(),
            order_by: Vec::new(),
            partition_by: PartitionBy::None,
            distribution: Distribution::Random { buckets: 2 },
            compression: Compression::Zstd,
        }
    }

    fn names(missing: Result<Vec<Column>, String>) -> Result<Vec<String>, String> {
        missing.map(|columns| columns.into_iter().map(|column| column.name).collect())
    }

    const A: (&str, DataType, bool) = ("a", DataType::Int, false);
    const B: (&str, DataType, bool) = ("b", DataType::String, true);
    const C: (&str, DataType, bool) = ("c", DataType::Int, true);

    #[test]
    fn only_nullable_columns_at_the_end_are_added() {
        let stands = definition(&[A, B]);
        let against = |columns: &[(&str, DataType, bool)]| names(missing(&stands, &definition(columns)));
        assert_eq!(against(&[A, B]).unwrap(), [""; 0]);
        assert_eq!(against(&[A, B, C]).unwrap(), ["c"]);
        let refused = against(&[A, C, B]).unwrap_err();
        assert!(refused.ends_with("new columns are declared at the end"), "{refused}");
        let refused = against(&[A, B, ("c", DataType::Int, false)]).unwrap_err();
        assert!(refused.starts_with("column c is new and NOT NULL"), "{refused}");
        let refused = against(&[("a", DataType::BigInt, false), B, C]).unwrap_err();
        assert_eq!(refused, "column a is declared BIGINT and is INT");
        let refused = against(&[A]).unwrap_err();
        assert_eq!(refused, "column b is in the table and not declared");
        let mut spread = definition(&[A, B, C]);
        spread.distribution = Distribution::Random { buckets: 3 };
        assert!(missing(&stands, &spread).unwrap_err().starts_with("the distribution is"));
    }

    #[test]
    fn columns_that_drifted_in_stay_whether_declared_or_not() {
        let stands = definition(&[A, B, C]);
        let drifted = BTreeSet::from(["c".to_owned()]);
        for declared in [definition(&[A, B]), definition(&[A, B, C])] {
            let stands = without(&stands, &drifted, &declared);
            assert_eq!(missing(&stands, &declared), Ok(Vec::new()));
        }
        let declared = definition(&[A, B, ("d", DataType::Date, true)]);
        let stands = without(&stands, &drifted, &declared);
        assert_eq!(names(missing(&stands, &declared)).unwrap(), ["d"]);
    }
}
