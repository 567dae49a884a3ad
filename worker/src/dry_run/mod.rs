//! What a dry run gathers and says: everything of a load but its effects.

mod findings;
mod report;
mod schema;
mod text;

pub use findings::{Concluded, FilePlace, Findings, listed};
pub use report::{
    CheckedColumn, CheckedFile, CheckedSchema, DRY_RUN_REPORT_VERSION, DryRunReport, ErrorExample, ErrorKind,
    FileProblem, Fill, FirstRows, NamedType,
};
pub use schema::{fills, format_of};
