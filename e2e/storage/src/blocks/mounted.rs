//! An image of a disk, mounted over a loop device.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

/// A file system with a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// ext4, `data=ordered`.
    Ext4,
    /// xfs.
    Xfs,
}

impl Kind {
    /// Name of the type for mount(8).
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }

    /// Checks an image that is not mounted, without a change: an error names what is wrong.
    pub fn check(self, image: &Path) -> Result<()> {
        let mut command = match self {
            Self::Ext4 => Command::new("e2fsck"),
            Self::Xfs => Command::new("xfs_repair"),
        };
        match self {
            Self::Ext4 => command.arg("-fn"),
            Self::Xfs => command.args(["-n", "-f"]),
        };
        run(command.arg(image))
    }
}

/// A mounted image; unmounted at the latest when it is dropped.
#[derive(Debug)]
pub struct Mounted(Option<PathBuf>);

impl Mounted {
    /// Mounts an image on a folder; the file system's journal is replayed.
    pub fn new(kind: Kind, image: &Path, folder: &Path) -> Result<Self> {
        let mut command = Command::new("mount");
        command.args(["-t", kind.name(), "-o", "loop"]).arg(image).arg(folder);
        run(&mut command)?;
        Ok(Self(Some(folder.to_owned())))
    }

    /// Unmounts; the loop device goes with it.
    pub fn unmount(mut self) -> Result<()> {
        match self.0.take() {
            Some(folder) => run(Command::new("umount").arg(folder)),
            None => Ok(()),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Some(folder) = self.0.take()
            && let Err(error) = run(Command::new("umount").arg(folder))
        {
            eprintln!("longshore: {error:#}");
        }
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&said).trim());
    }
    Ok(())
}
