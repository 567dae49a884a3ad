//! Adding columns to a table: as a commit of its own, or with the rows of a load.

use std::sync::Arc;

use super::lines::{Lines, info, text};
use super::{CommitError, Table, TableError};
use crate::durable::SyncSite;
use crate::log::actions::{CommitInfo, Metadata, Protocol};
use crate::log::conflict::{Change, Operation};
use crate::log::delta_schema::{self, Origin};
use crate::log::head::{Decision, Ended, Head};
use crate::log::protocol;
use crate::schema::{Column, TableDefinition};

/// Name of the number that counts changes of the schema.
const SCHEMA_ID: &str = "schema";

/// How adding columns ended. Either way all of them stand, durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlterOutcome {
    /// Some were added.
    Altered {
        /// The version that has them.
        version: u64,
    },
    /// All of them stood there, each with its type; who added them is not known after a doubt.
    Unchanged {
        /// A version that has them.
        version: u64,
    },
}

/// A schema with more columns.
#[derive(Debug)]
pub(super) struct Widened {
    pub(super) definition: TableDefinition,
    pub(super) metadata: Metadata,
    /// If the table's does not suffice.
    pub(super) protocol: Option<Protocol>,
    /// Names of the columns that came.
    pub(super) added: Vec<String>,
}

impl Table {
    /// Adds columns at the end of the schema; they must be nullable, for the rows that are there have no
    /// value for them. A column that stands with the same type (names are equal regardless of case) is left
    /// alone, whatever its default; one that stands with another type is an error that names it.
    pub fn add_columns(&mut self, columns: &[Column]) -> Result<AlterOutcome, CommitError> {
        self.head.refresh()?;
        let ended = self.head.commit_over(|head| -> Result<_, CommitError> {
            let widened = widened(head, columns, Origin::Declared);
            if !matches!(widened, Ok(Some(_))) {
                head.make_durable(SyncSite::AlterAnswer)?;
            }
            // Also after a doubt in which our own commit stood: it is as good as another's.
            let Some(widened) = widened? else { return Ok(Decision::Stop(head.version())) };
            let number = head.txn(SCHEMA_ID)?.map_or(0, |txn| txn.number) + 1;
            let info = CommitInfo {
                operation_parameters: [("columns".to_owned(), text(widened.added.join(",")))].into(),
                ..info("ADD COLUMNS", true)
            };
            let lines = Lines {
                txns: vec![(SCHEMA_ID.to_owned(), number)],
                protocol: widened.protocol,
                metadata: Some(widened.metadata),
                ..Lines::default()
            };
            Ok(Decision::Commit(Arc::new(lines.commit(&info)?)))
        })?;
        Ok(match ended {
            Ended::Committed(version) => AlterOutcome::Altered { version },
            Ended::Decided(version) => AlterOutcome::Unchanged { version },
        })
    }
}

/// The schema of a version with columns added that it lacks; `None`: it has all of them.
pub(super) fn widened(
    head: &Head,
    columns: &[Column],
    origin: Origin,
) -> Result<Option<Widened>, CommitError> {
    let Some((definition, added)) = with_columns(head.schema().definition(), columns)? else {
        return Ok(None);
    };
    let damaged = |what: &str| TableError::damaged(head.log().path(), what);
    let stands = head.metadata().ok_or_else(|| damaged("there is no metaData in it"))?;
    let metadata =
        delta_schema::with_columns(stands, &definition, &added, origin).map_err(|what| damaged(&what))?;
    let protocol = head.protocol().and_then(|stands| protocol::needed(stands, &added));
    let added = added.into_iter().map(|column| column.name).collect();
    Ok(Some(Widened { definition, metadata, protocol, added }))
}

/// A definition with the columns that it lacks, and which these are.
fn with_columns(
    stands: &TableDefinition,
    columns: &[Column],
) -> Result<Option<(TableDefinition, Vec<Column>)>, CommitError> {
    let mut definition = stands.clone();
    let mut added = Vec::new();
    for column in columns {
        let same = definition.columns.iter().find(|other| other.name.eq_ignore_ascii_case(&column.name));
        match same {
            Some(same) if same.data_type == column.data_type => {}
            Some(same) if Operation::AddColumns.stops_on(Change::ColumnRetyped) => {
                return Err(CommitError::ColumnConflict {
                    column: same.name.clone(),
                    stands: same.data_type.to_string(),
                    asked: column.data_type.to_string(),
                });
            }
            Some(_) => {}
            None if !column.nullable => {
                let what =
                    format!("the new column {} must take NULL: rows without it are there", column.name);
                return Err(TableError::InvalidDefinition(what).into());
            }
            None => {
                definition.columns.push(column.clone());
                added.push(column.clone());
            }
        }
    }
    if added.is_empty() {
        return Ok(None);
    }
    definition.validate().map_err(|error| TableError::InvalidDefinition(error.to_string()))?;
    Ok(Some((definition, added)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Compression, Distribution};
    use crate::types::DataType;

    fn column(name: &str, data_type: DataType, nullable: bool) -> Column {
        Column { name: name.to_owned(), data_type, nullable, default: None }
    }

    fn add(columns: &[Column]) -> Result<Option<Vec<String>>, CommitError> {
        let stands = TableDefinition {
            columns: vec![column("A", DataType::Int, false)],
            key: Vec::new(),
            order_by: Vec::new(),
            partition_by: crate::schema::PartitionBy::None,
            distribution: Distribution::Random { buckets: 1 },
            compression: Compression::Zstd,
        };
        let added = with_columns(&stands, columns)?;
        Ok(added.map(|(_, added)| added.into_iter().map(|column| column.name).collect()))
    }

    #[test]
    fn only_what_is_not_there_is_added() {
        assert_eq!(add(&[]).unwrap(), None);
        assert_eq!(add(&[column("a", DataType::Int, true)]).unwrap(), None);
        let both = [column("A", DataType::Int, true), column("b", DataType::Date, true)];
        assert_eq!(add(&both).unwrap().unwrap(), ["b"]);
        // Twice in one request is once.
        let twice = [column("b", DataType::Date, true), column("B", DataType::Date, true)];
        assert_eq!(add(&twice).unwrap().unwrap(), ["b"]);
    }

    #[test]
    fn another_type_and_not_null_are_refused_by_name() {
        let other = add(&[column("a", DataType::BigInt, true)]).unwrap_err();
        assert_eq!(other.category(), "ColumnConflict");
        assert!(other.to_string().contains("column A is INT in the table"), "{other}");
        let strict = add(&[column("b", DataType::Int, false)]).unwrap_err();
        assert_eq!(strict.category(), "InvalidDefinition");
        let odd = add(&[column("b c", DataType::Int, true)]).unwrap_err();
        assert!(odd.to_string().contains("`b c`"), "{odd}");
    }
}
