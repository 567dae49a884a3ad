//! The API of `longshore.dev/v1alpha1`, and what passes between the operator and the worker. No I/O here.

pub mod exit;
mod report;
mod request;
pub mod source;

pub use report::{
    LOAD_REPORT_VERSION, LoadCounts, LoadReport, LoadTimes, Outcome, RowError, TERMINATION_MESSAGE_LIMIT,
};
pub use request::{Execution, LOAD_REQUEST_VERSION, LoadRequest, OnMissingColumn, RequestError};
