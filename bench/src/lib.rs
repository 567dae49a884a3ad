//! Workload generators and side-by-side benchmarks.
//!
//! [`user_behavior`] makes the user guide's data set, [`light_s3`] serves it at a small cost of CPU,
//! [`child`] runs a program and measures it, [`load`] and [`baseline`] are what is compared, [`text`] decodes CSV and
//! JSON from memory, [`pipe`] measures a pipe against its bounds.

pub mod baseline;
pub mod child;
pub mod light_s3;
pub mod load;
pub mod pipe;
pub mod text;
pub mod user_behavior;
