//! Power cuts on real file systems. The disk is a file of a FUSE file system that records every write and
//! fsync of it; what a cut could have left is made from the record, mounted, and checked.

mod check;
mod cuts;
mod image;
mod mounted;
mod record;
mod recorder;
mod replay;
mod without;
mod work;

pub use check::{CheckOptions, check};
pub use recorder::{RecordOptions, record};
pub use replay::{CutOptions, cuts};
pub use work::{WorkOptions, work};
