//! Writes the CustomResourceDefinitions to a folder (default: `crds`), one file a kind.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use longshore_crds::{definition_file, definitions};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("crds"), PathBuf::from);
    for definition in definitions() {
        let (name, text) = definition_file(&definition)?;
        fs::write(folder.join(name), text)?;
    }
    Ok(())
}
