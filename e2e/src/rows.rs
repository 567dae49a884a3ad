//! The user guide's data set in several sizes, made once a machine.

use std::path::PathBuf;

use anyhow::{Context, Result};
use longshore_bench::user_behavior::{Expected, Options, Order, generate};

/// A data set on this host.
#[derive(Debug, Clone)]
pub struct Rows {
    /// Folder of its files.
    pub folder: PathBuf,
    /// What a reader must find.
    pub expected: Expected,
}

/// `count` rows in `files` files. They are made in a folder beside the built programs and kept.
pub fn rows(count: u64, files: u32) -> Result<Rows> {
    let options = Options { rows: count, files, order: Order::Random, seed: 5 };
    let this = std::env::current_exe()?;
    let programs = this.ancestors().nth(2).context("the folder of the built programs")?;
    let folder = programs.join("e2e-rows").join(format!("{count}-{files}"));
    if let Some(expected) = Expected::read_complete(&folder, &options) {
        return Ok(Rows { folder, expected });
    }
    // Tests run side by side: each makes its own, and the first to finish gives it the name.
    let parent = folder.parent().context("the folder of the data sets")?;
    std::fs::create_dir_all(parent)?;
    let making = tempfile::tempdir_in(parent)?.keep();
    let expected = generate(&options, &making)?;
    if std::fs::rename(&making, &folder).is_err() {
        std::fs::remove_dir_all(&making)?;
    }
    Ok(Rows { folder, expected })
}
