//! What a load leaves on the volume beside its segments: the plan, the task reports, the rejected rows.

mod plan;
mod rejected;
mod task_report;

pub use plan::{Plan, PlannedFile, PlannedTask};
pub use rejected::{RejectedError, RejectedRecord, RejectedWriter, read_rejected};
pub use task_report::{FileReport, FirstError, Segment, TaskReport};
