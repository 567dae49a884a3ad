//! What lies beside the log: data files, plans, reports of tasks, batch files and the ledger of a pipe.
//! All of them count as durable when they are there: their own order is another test's matter.

use crate::columns::Columns;
use crate::rows::RowSet;

/// Who made a data file, as its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// It stood from the start.
    Seed,
    Load {
        label: u8,
        claim: u8,
    },
    Batch {
        number: u8,
        epoch: u8,
    },
    Compaction {
        epoch: u8,
    },
}

/// A data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DataFile {
    pub exists: bool,
    pub owner: Owner,
    pub rows: RowSet,
    pub columns: Columns,
    /// The request that its rows were made by.
    pub request: u8,
}

/// The plan of a parallel load, put in place by link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Plan {
    pub label: u8,
    pub claim: u8,
    /// Whether the listing held the late object.
    pub late: bool,
    /// The columns that the tasks write.
    pub columns: Columns,
}

/// The report of a finished task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Report {
    pub label: u8,
    pub claim: u8,
    pub task: u8,
    pub request: u8,
    pub late: bool,
    pub columns: Columns,
    /// The file that it names; `None`: the task had no rows.
    pub file: Option<u8>,
}

/// A batch file, or the entry of a ledger that says FINISHED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Batch {
    pub number: u8,
    pub epoch: u8,
    pub objects: u16,
}
