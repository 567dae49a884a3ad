//! Rows become segments: route → run buffer → sort → encode, with spills and a merge between if the rows
//! do not fit the budget (design §4.4).
//!
//! [`TabletWriter`] takes the rows of one task in any order and writes, for each tablet that they touch,
//! about one Parquet file sorted by the table's sort key. All its memory is a budget given at the start.

mod block;
mod column;
mod dictionary;
mod encode;
mod error;
mod gather;
mod key;
mod merge;
mod metrics;
mod names;
mod part;
mod partitions;
mod radix;
mod records;
mod route;
mod run;
mod segment;
mod sort;
mod spill;
mod tablets;
mod text;
mod writer;

pub(crate) use column::Column as BufferColumn;
pub(crate) use encode::{EncodingPlan, SAMPLE_ROWS};
pub use error::TabletError;
pub(crate) use key::{KeyPlan, KeyRange};
pub(crate) use merge::{Blocks, Merger, SpillBlocks};
pub use metrics::WriterMetrics;
pub use names::SegmentName;
pub(crate) use names::{SegmentNames, SegmentOwner};
pub use partitions::KnownPartitions;
pub(crate) use route::Router;
pub use route::can_hash;
pub(crate) use segment::{Segments, TabletOutput};
pub(crate) use spill::{Spill, SpillReader, SpillWriter};
pub(crate) use tablets::Tablet;
pub use writer::TabletWriter;

/// Who writes: makes the names of segments and spills unique among all processes and attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskIdentity {
    /// Label of the load.
    pub label: String,
    /// Run of the label.
    pub run: u32,
    /// Attempt of the run.
    pub attempt: u32,
    /// Number of the task in the plan.
    pub task: u32,
    /// Random 64-bit id of the process, 16 hex digits.
    pub writer: String,
}

/// Limits of one writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WriterOptions {
    /// Bytes of all memory of the writer: run buffer, order, encoders, merge.
    pub budget_bytes: usize,
    /// Threads that sort and encode; as many segments are open at most.
    pub threads: usize,
    /// Bytes at which a segment is closed and the next begun.
    pub target_segment_bytes: u64,
    /// A run whose segments would be smaller on average is spilled instead, unless it ends the input.
    pub min_segment_bytes: u64,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            budget_bytes: 1 << 30,
            threads: 2,
            target_segment_bytes: 256 << 20,
            min_segment_bytes: 32 << 20,
        }
    }
}
