//! What a commit holds, and the table that a reader computes from commits.

use crate::columns::{Columns, NewColumn};
use crate::rows::RowSet;

/// A set of data files by number.
pub type FileSet = u32;

/// How a load meets the rows that stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    Append,
    /// Replaces the rows of a scope.
    Overwrite(RowSet),
    /// Keyed: the tablet is one file, read, merged and replaced.
    Merge,
}

/// What a commit says. `brings` and `wants` are what the operation means; the files and columns are what it
/// writes down. The invariants compare the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    /// The table is made, with these files.
    Create {
        adds: FileSet,
        brings: RowSet,
    },
    /// Any commit of another writer that touches nothing of this.
    Nothing,
    Claim {
        label: u8,
        number: u8,
        closing: bool,
    },
    Load {
        label: u8,
        run: u8,
        claim: u8,
        mode: Mode,
        adds: FileSet,
        removes: FileSet,
        brings: RowSet,
        wants: Option<NewColumn>,
        /// The whole schema, as metaData has it; `None`: it stays.
        columns: Option<Columns>,
    },
    Epoch {
        epoch: u8,
    },
    Batch {
        number: u8,
        epoch: u8,
        adds: FileSet,
        brings: RowSet,
    },
    Compaction {
        adds: FileSet,
        removes: FileSet,
        epoch: u8,
    },
    Maintenance {
        epoch: u8,
    },
    Schema {
        wants: NewColumn,
        columns: Columns,
    },
}

/// The table at a version. The last four fields serve the invariants only: no actor looks at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Snapshot {
    pub version: u8,
    /// The commit that has this version.
    pub newest: u8,
    /// Newest claim of each label.
    pub claims: [u8; 2],
    /// The claim that loaded each label; 0: not loaded.
    pub loads: [u8; 2],
    /// Newest epoch of the pipe.
    pub epoch: u8,
    /// Newest number of the pipe.
    pub number: u8,
    /// Numbers whose own commit stands (in the log or in folded history).
    pub confirmed: u16,
    /// Newest maintenance epoch.
    pub maintenance: u8,
    /// The epoch of the newest compaction: its own number.
    pub compacted: u8,
    pub files: FileSet,
    pub columns: Columns,
    /// The commits that it is made of.
    pub commits: u32,
    /// What stands if the operations are done one after the other, in the order of the log.
    pub serial_rows: RowSet,
    pub serial_columns: Columns,
    /// Every row that ever stood.
    pub ever: RowSet,
}

impl Snapshot {
    /// The table after one more commit.
    pub fn after(mut self, id: u8, content: &Content) -> Self {
        self.commits |= 1 << id;
        self.newest = id;
        match *content {
            // It is version 0, where counting begins.
            Content::Create { adds, brings } => {
                self.files = adds;
                self.bring(brings);
                return self;
            }
            Content::Nothing => {}
            Content::Claim { label, number, .. } => self.claims[label as usize] = number,
            Content::Load { label, claim, mode, adds, removes, brings, wants, columns, .. } => {
                self.loads[label as usize] = claim;
                self.files = self.files & !removes | adds;
                self.columns = columns.unwrap_or(self.columns);
                if let Mode::Overwrite(scope) = mode {
                    self.serial_rows &= !scope;
                }
                self.bring(brings);
                self.widen(wants);
            }
            Content::Epoch { epoch } => self.epoch = epoch,
            Content::Batch { number, adds, brings, .. } => {
                self.number = number;
                self.confirmed |= 1 << number;
                self.files |= adds;
                self.bring(brings);
            }
            Content::Compaction { adds, removes, epoch } => {
                self.files = self.files & !removes | adds;
                self.compacted = epoch;
            }
            Content::Maintenance { epoch } => self.maintenance = epoch,
            Content::Schema { wants, columns } => {
                self.columns = columns;
                self.widen(Some(wants));
            }
        }
        self.version += 1;
        self
    }

    fn bring(&mut self, rows: RowSet) {
        self.serial_rows |= rows;
        self.ever |= rows;
    }

    fn widen(&mut self, wants: Option<NewColumn>) {
        if let Some(new) = wants
            && !new.clashes(self.serial_columns)
        {
            self.serial_columns = new.added_to(self.serial_columns);
        }
    }

    pub fn is_loaded(&self, label: u8) -> bool {
        self.loads[label as usize] != 0
    }

    pub fn claim(&self, label: u8) -> u8 {
        self.claims[label as usize]
    }
}

/// Claims are run · 16 + attempt; the last attempt closes the run.
pub mod claim {
    pub fn number(run: u8, attempt: u8) -> u8 {
        run * 16 + attempt
    }

    pub fn closing(run: u8) -> u8 {
        number(run, 15)
    }

    pub fn run(number: u8) -> u8 {
        number / 16
    }

    pub fn is_closing(number: u8) -> bool {
        number % 16 == 15
    }
}
