//! A FUSE file system with two files: `disk`, whose writes and fsyncs are recorded, and `journal`, into which
//! the workload writes its marks. A write into `journal` returns once it is recorded: so a mark stands in the
//! record after the last write that came before it.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use clap::Args;
use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyWrite, Request, WriteFlags,
};

use super::record::RecordWriter;
use crate::cli::Verdict;
use crate::model::Mark;

const DISK: INodeNo = INodeNo(2);
const JOURNAL: INodeNo = INodeNo(3);
/// Nothing of this changes but by its own calls.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// Where the disk is offered and recorded.
#[derive(Debug, Args)]
pub struct RecordOptions {
    /// Folder to mount on; holds `disk` and `journal` then
    #[arg(long)]
    mount: PathBuf,
    /// File that keeps the contents of the disk
    #[arg(long)]
    backing: PathBuf,
    /// File for the record
    #[arg(long)]
    record: PathBuf,
    /// Size of the disk, MiB
    #[arg(long)]
    mebibytes: u64,
}

/// Offers the disk until it is unmounted, then ends the record and prints its figures.
pub fn record(options: &RecordOptions) -> Result<Verdict> {
    let backing = File::options().read(true).write(true).create_new(true).open(&options.backing)?;
    let size = options.mebibytes << 20;
    backing.set_len(size)?;
    let writer = RecordWriter::create(&options.record)?;
    let state = Mutex::new(Figures { writer, writes: 0, bytes: 0, syncs: 0, marks: 0 });
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("longshore-record".to_owned())];
    // One thread: the order of the record is the order of the disk.
    fuser::mount(Recorder { backing, size, state, begun: SystemTime::now() }, &options.mount, &config)
        .with_context(|| format!("cannot mount FUSE on {}", options.mount.display()))?;
    Ok(Verdict::Held)
}

#[derive(Debug)]
struct Figures {
    writer: RecordWriter,
    writes: u64,
    bytes: u64,
    syncs: u64,
    marks: u64,
}

struct Recorder {
    backing: File,
    size: u64,
    state: Mutex<Figures>,
    begun: SystemTime,
}

impl Recorder {
    fn state(&self) -> MutexGuard<'_, Figures> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attributes(&self, ino: INodeNo) -> Option<FileAttr> {
        let (kind, size) = match ino {
            INodeNo::ROOT => (FileType::Directory, 0),
            DISK => (FileType::RegularFile, self.size),
            JOURNAL => (FileType::RegularFile, 0),
            _ => return None,
        };
        Some(FileAttr {
            ino,
            size,
            blocks: size / 512,
            atime: self.begun,
            mtime: self.begun,
            ctime: self.begun,
            crtime: self.begun,
            kind,
            perm: if kind == FileType::Directory { 0o700 } else { 0o600 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    fn disk_write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.writer.write(offset, data)?;
        state.writes += 1;
        state.bytes += data.len() as u64;
        self.backing.write_all_at(data, offset)
    }

    fn journal_write(&self, data: &[u8]) -> io::Result<()> {
        let mark: Mark = serde_json::from_slice(data)?;
        let mut state = self.state();
        state.marks += 1;
        state.writer.mark(mark)
    }

    fn disk_sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.syncs += 1;
        state.writer.sync()
    }
}

impl Filesystem for Recorder {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let ino = match name.to_str() {
            Some("disk") if parent == INodeNo::ROOT => DISK,
            Some("journal") if parent == INodeNo::ROOT => JOURNAL,
            _ => return reply.error(Errno::ENOENT),
        };
        match self.attributes(ino) {
            Some(attributes) => reply.entry(&FOR_EVER, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(ino) {
            Some(attributes) => reply.attr(&FOR_EVER, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _: &Request, ino: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // A mark goes through at once; the disk goes through the page cache, as on any file.
        let flags = if ino == JOURNAL { FopenFlags::FOPEN_DIRECT_IO } else { FopenFlags::empty() };
        reply.opened(FileHandle(0), flags);
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        if ino != DISK {
            return reply.data(&[]);
        }
        let length = u64::from(size).min(self.size.saturating_sub(offset));
        let mut bytes = vec![0; length as usize];
        match self.backing.read_exact_at(&mut bytes, offset) {
            Ok(()) => reply.data(&bytes),
            Err(error) => reply.error(error.into()),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = if ino == DISK { self.disk_write(offset, data) } else { self.journal_write(data) };
        match written {
            Ok(()) => reply.written(data.len() as u32),
            Err(error) => reply.error(error.into()),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        if ino != DISK {
            return reply.ok();
        }
        match self.disk_sync() {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error.into()),
        }
    }

    fn readdir(&self, _: &Request, _: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        for (index, (ino, name)) in [(DISK, "disk"), (JOURNAL, "journal")].into_iter().enumerate() {
            let next = index as u64 + 1;
            if next > offset && reply.add(ino, next, FileType::RegularFile, name) {
                break;
            }
        }
        reply.ok();
    }

    fn destroy(&mut self) {
        let mut state = self.state();
        if let Err(error) = state.writer.finish() {
            eprintln!("longshore: the record could not be ended: {error}");
            return;
        }
        println!(
            "recorded: {} writes, {:.1} MiB, {} fsyncs, {} marks",
            state.writes,
            state.bytes as f64 / f64::from(1 << 20),
            state.syncs,
            state.marks
        );
    }
}
