//! The table on which commits meet, and the kinds of commits.

use std::path::Path;
use std::sync::Arc;

use longshore_storage::durable::FileSystem;
use longshore_storage::history::{HistoryOutcome, HistoryRecord};
use longshore_storage::ledger::{Ledger, LedgerOptions};
use longshore_storage::load::Segment;
use longshore_storage::log::conflict::Operation;
use longshore_storage::schema::{Column, TableSchema};
use longshore_storage::table::{
    AlterOutcome, Batch, Claim, ClaimError, CloseOutcome, CommitError, CommitOutcome, CompactionOutcome,
    DropReason, Epoch, LoadCommit, LoadMode, Maintenance, OverwriteScope, Table,
};
use longshore_storage::types::DataType;

use crate::log::support::{Place, column, failed_record, load_of, record, segment};

/// One way in which a matrix operation can be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Kind {
    Append,
    AppendWithColumn,
    OverwriteTable,
    OverwritePartition,
    OverwriteDynamic,
    Compact,
    AddColumn,
    AddColumnOtherwise,
    Claim,
    CloseRun,
    CloseOwnRun,
    Epoch,
    Batch,
    PipeEpoch,
}

impl Kind {
    /// The ways of an operation; none: it is not built yet.
    pub fn of(operation: Operation) -> &'static [Self] {
        match operation {
            Operation::Append => &[Self::Append, Self::AppendWithColumn],
            Operation::KeyedMerge => &[],
            Operation::Overwrite => &[Self::OverwriteTable, Self::OverwritePartition, Self::OverwriteDynamic],
            Operation::Compaction => &[Self::Compact],
            Operation::AddColumns => &[Self::AddColumn, Self::AddColumnOtherwise],
            Operation::Claim => &[Self::Claim],
            Operation::CloseRun => &[Self::CloseRun],
            Operation::CloseOwnRun => &[Self::CloseOwnRun],
            Operation::Epoch => &[Self::Epoch],
            Operation::Batch => &[Self::Batch],
            Operation::PipeEpoch => &[Self::PipeEpoch],
        }
    }

    pub fn mode(self) -> Option<LoadMode> {
        let scope = match self {
            Self::Append | Self::AppendWithColumn => return Some(LoadMode::Append),
            Self::OverwriteTable => OverwriteScope::Table,
            Self::OverwritePartition => OverwriteScope::Partitions(vec!["p-a".to_owned()]),
            Self::OverwriteDynamic => OverwriteScope::Dynamic,
            _ => return None,
        };
        Some(LoadMode::Overwrite(scope))
    }

    /// Whether it needs a claim of its own label.
    pub fn holds_claim(self) -> bool {
        self.mode().is_some() || self == Self::CloseOwnRun
    }

    /// The label that it is about, or the ledger: claims, closings and epochs of a pipe aim at what the other one
    /// holds.
    pub fn label(self, role: usize, other: Self) -> String {
        let own = format!("l-{role}");
        let others = format!("l-{}", 1 - role);
        match self {
            Self::Claim | Self::CloseRun if other.holds_claim() => others,
            Self::PipeEpoch if other == Self::Batch => others,
            Self::Claim | Self::CloseRun | Self::PipeEpoch => "l-0".to_owned(),
            _ => own,
        }
    }

    /// The column that it adds.
    pub fn new_column(self) -> Option<Column> {
        match self {
            Self::AppendWithColumn | Self::AddColumn => Some(column("extra", DataType::Int, true)),
            Self::AddColumnOtherwise => Some(column("EXTRA", DataType::String, true)),
            _ => None,
        }
    }
}

/// A segment of a partition, in bucket 1.
pub fn in_partition(partition: &str, name: &str, rows: u64) -> Segment {
    let path = format!("{partition}/b-00001/{name}.parquet");
    Segment { path, partition: partition.to_owned(), ..segment(name, rows) }
}

/// Partition p-a with the files a1 (3 rows) and a2 (4 rows), p-b with b1 (5 rows), loaded as `setup`.
pub fn place() -> (Place, Table) {
    let (place, mut table) = Place::with_table();
    let segments =
        vec![in_partition("p-a", "a1", 3), in_partition("p-a", "a2", 4), in_partition("p-b", "b1", 5)];
    load_segments(&mut table, "setup", segments, LoadMode::Append).unwrap();
    (place, table)
}

/// Claims a label and commits these segments.
pub fn load_segments(
    table: &mut Table,
    label: &str,
    segments: Vec<Segment>,
    mode: LoadMode,
) -> Result<CommitOutcome, CommitError> {
    let claim = table.claim(label, 1).unwrap();
    let rows = segments.iter().map(|segment| segment.rows).sum();
    let load = LoadCommit { segments, mode, ..load_of(table, &claim, rows) };
    table.commit_load(&claim, load)
}

/// The current segments of a partition.
pub fn segments_of(table: &Table, partition: &str) -> Vec<Segment> {
    table.segments().unwrap().into_iter().filter(|segment| segment.partition == partition).collect()
}

/// A commit that is about to be made.
pub struct Prepared {
    pub kind: Kind,
    pub role: usize,
    label: String,
    claim: Option<Claim>,
    epoch: Option<Epoch>,
    batch: Option<Batch>,
    inputs: Vec<Segment>,
    schema: Arc<TableSchema>,
}

impl Prepared {
    /// Takes claim and epoch, and reads what the commit is made from.
    pub fn new(table: &mut Table, kind: Kind, role: usize, other: Kind) -> Self {
        let label = kind.label(role, other);
        let claim = kind.holds_claim().then(|| table.claim(&label, 1).unwrap());
        let epoch = (kind == Kind::Compact).then(|| table.next_epoch(Maintenance::Compact).unwrap());
        let batch = (kind == Kind::Batch).then(|| {
            let mut ledger = Ledger::begin(table, &label, LedgerOptions::default()).unwrap();
            ledger.put_batch(table, "digest", Vec::new()).unwrap()
        });
        let inputs = segments_of(table, "p-a");
        Self { kind, role, label, claim, epoch, batch, inputs, schema: Arc::clone(table.schema()) }
    }

    /// Number of its claim, or of its batch, and of its epoch; 0: none.
    pub fn numbers(&self) -> (i64, i64) {
        if let Some(batch) = &self.batch {
            return (batch.number().into(), batch.epoch().number().into());
        }
        let claim = self.claim.as_ref();
        let claim = claim.map_or(0, |claim| (i64::from(claim.run()) << 20) + i64::from(claim.attempt()));
        (claim, self.epoch.as_ref().map_or(0, |epoch| epoch.number().cast_signed()))
    }

    /// Makes the commit; how it ended, in a word, or the category of its error.
    pub fn run(&self, table: &mut Table) -> String {
        match self.kind {
            _ if self.kind.mode().is_some() => self.load(table).unwrap_or_else(category),
            Kind::Compact => self.compact(table).unwrap_or_else(category),
            Kind::AddColumn | Kind::AddColumnOtherwise => {
                let columns: Vec<Column> = self.kind.new_column().into_iter().collect();
                match table.add_columns(&columns) {
                    Ok(AlterOutcome::Altered { .. }) => "altered".to_owned(),
                    Ok(AlterOutcome::Unchanged { .. }) => "unchanged".to_owned(),
                    Err(error) => category(error),
                }
            }
            Kind::Claim => match table.claim(&self.label, 1) {
                Ok(claim) => format!("attempt {}", claim.attempt()),
                Err(ClaimError::Commit(error)) => category(error),
                Err(error) => error.category().to_owned(),
            },
            Kind::Batch => self.load_batch(table).unwrap_or_else(category),
            Kind::PipeEpoch => match table.next_pipe_epoch(&self.label) {
                Ok(epoch) => format!("epoch {}", epoch.number()),
                Err(error) => category(error),
            },
            Kind::Epoch => match table.next_epoch(Maintenance::Compact) {
                Ok(epoch) => format!("epoch {}", epoch.number()),
                Err(error) => category(error),
            },
            _ => {
                let own = self.claim.as_ref();
                match table.close_run(&self.label, 1, own, failed_record(&self.label, 1)) {
                    Ok(CloseOutcome::Closed { .. }) => "closed".to_owned(),
                    Ok(CloseOutcome::Superseded) => "superseded".to_owned(),
                    Ok(CloseOutcome::AlreadyLoaded { .. }) => "AlreadyLoaded".to_owned(),
                    Err(error) => category(error),
                }
            }
        }
    }

    fn load(&self, table: &mut Table) -> Result<String, CommitError> {
        let claim = self.claim.as_ref().unwrap();
        let new_columns: Vec<Column> = self.kind.new_column().into_iter().collect();
        let mut definition = self.schema.definition().clone();
        definition.columns.extend(new_columns.clone());
        let load = LoadCommit {
            segments: vec![in_partition("p-a", &format!("n-{}", self.role), 10)],
            schema: Arc::new(TableSchema::new(definition)),
            record: record(claim, 10),
            deadline: None,
            mode: self.kind.mode().unwrap(),
            new_columns,
        };
        Ok(match table.commit_load(claim, load)? {
            CommitOutcome::Committed { .. } => "committed".to_owned(),
            CommitOutcome::AlreadyLoaded { .. } => "AlreadyLoaded".to_owned(),
        })
    }

    fn load_batch(&self, table: &mut Table) -> Result<String, CommitError> {
        let batch = self.batch.as_ref().unwrap();
        let (run, schema) = (batch.epoch().number(), Arc::clone(&self.schema));
        let load = LoadCommit {
            segments: vec![in_partition("p-a", &format!("n-{}", self.role), 10)],
            schema,
            record: HistoryRecord::new(batch.label(), run, batch.number(), HistoryOutcome::Loaded),
            deadline: None,
            mode: LoadMode::Append,
            new_columns: Vec::new(),
        };
        table.commit_batch(batch, load)?;
        Ok("committed".to_owned())
    }

    fn compact(&self, table: &mut Table) -> Result<String, CommitError> {
        let outputs = vec![compacted(self.role, &self.inputs)];
        let epoch = self.epoch.as_ref().unwrap();
        Ok(match table.commit_compaction(epoch, &self.schema, &self.inputs, outputs)? {
            CompactionOutcome::Committed { .. } => "committed".to_owned(),
            CompactionOutcome::Dropped { why } => dropped(&why),
        })
    }
}

/// One file with the rows of these.
pub fn compacted(number: usize, inputs: &[Segment]) -> Segment {
    in_partition("p-a", &format!("c-{number}"), inputs.iter().map(|input| input.rows).sum())
}

pub fn dropped(why: &DropReason) -> String {
    let reason = match why {
        DropReason::InputRemoved { .. } => "input",
        DropReason::ForeignInput { .. } => "foreign",
        DropReason::NewerEpoch { .. } => "epoch",
        DropReason::EpochNotHeld => "not held",
        DropReason::SchemaChanged => "schema",
    };
    format!("dropped: {reason}")
}

fn category(error: CommitError) -> String {
    match error {
        // What cannot be told from the category alone is a failure of the test.
        CommitError::Table(error) => format!("{}: {error}", error.category()),
        error => error.category().to_owned(),
    }
}

/// Opens the table through a volume.
pub fn open(files: Arc<dyn FileSystem>, root: &Path) -> Table {
    Table::open(files, root).unwrap()
}
