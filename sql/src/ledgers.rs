//! The ledgers of all pipes: whose they are, and where they lie.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore_crds::Pipe;
use longshore_storage::durable::Posix;
use longshore_storage::ledger::{LedgerError, LedgerReader, ledgers};

/// Where a session asks for the Pipes, each time a statement names their views.
#[derive(Clone)]
pub struct Pipes(Arc<dyn Fn() -> Vec<Pipe> + Send + Sync>);

impl Pipes {
    /// Pipes as `list` gives them, with their status.
    pub fn new(list: impl Fn() -> Vec<Pipe> + Send + Sync + 'static) -> Self {
        Self(Arc::new(list))
    }
}

impl Default for Pipes {
    /// None: the ledgers of the tables are all that is known.
    fn default() -> Self {
        Self::new(Vec::new)
    }
}

impl fmt::Debug for Pipes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pipes")
    }
}

/// A ledger of a table.
#[derive(Debug, Clone)]
pub(crate) struct KnownLedger {
    /// The Pipe; of one that was deleted, the ledger's name.
    pub(crate) pipe: String,
    /// The Table.
    pub(crate) table: String,
    /// The ledger.
    pub(crate) ledger: String,
    /// The table's folder.
    pub(crate) root: PathBuf,
    /// The Pipe, if it is there.
    pub(crate) object: Option<Pipe>,
}

impl KnownLedger {
    /// The ledger as it is now; one that was never begun is empty.
    pub(crate) fn open(&self) -> Result<LedgerReader, LedgerError> {
        LedgerReader::open(&Posix, &self.root, &self.ledger)
    }
}

/// The ledgers of the Pipes, then those of tables that no Pipe has now.
pub(crate) fn known(
    pipes: &Pipes,
    folder: &Path,
    tables: &[String],
) -> Result<Vec<KnownLedger>, LedgerError> {
    let mut known: Vec<KnownLedger> = (pipes.0)().into_iter().map(|pipe| of_pipe(pipe, folder)).collect();
    let owned: BTreeSet<(String, String)> =
        known.iter().map(|known| (known.table.clone(), known.ledger.clone())).collect();
    for table in tables {
        let root = folder.join(table);
        for ledger in ledgers(&Posix, &root)? {
            if !owned.contains(&(table.clone(), ledger.clone())) {
                let (pipe, table, root) = (ledger.clone(), table.clone(), root.clone());
                known.push(KnownLedger { pipe, table, ledger, root, object: None });
            }
        }
    }
    Ok(known)
}

fn of_pipe(pipe: Pipe, folder: &Path) -> KnownLedger {
    KnownLedger {
        pipe: pipe.metadata.name.clone().unwrap_or_default(),
        table: pipe.spec.table.clone(),
        ledger: pipe.ledger(),
        root: folder.join(&pipe.spec.table),
        object: Some(pipe),
    }
}
