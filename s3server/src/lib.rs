//! An S3 server on a folder, for the demo and the tests.
//!
//! It speaks the S3 protocol over real HTTP with signed requests ([`s3s`] does protocol and
//! signatures), keeps any object key, answers conditional and ranged reads as S3 does, lists from
//! an ordered index in memory, and misbehaves on request ([`Fault`]). It is no part of the
//! product's image.
//!
//! ```no_run
//! # async fn example() -> Result<(), longshore_s3server::ServerError> {
//! let server = longshore_s3server::Server::builder()
//!     .data_dir("/tmp/s3")
//!     .credentials("access", "secret")
//!     .start()
//!     .await?;
//! server.put("bucket", "folder/a.parquet", b"content")?;
//! println!("{}", server.endpoint());
//! server.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod admin;
mod assume_role;
mod backend;
mod background;
mod body;
mod connection;
mod counters;
mod credentials;
mod error;
mod faults;
mod gate;
mod operation;
mod server;

pub use background::BackgroundServer;
pub use counters::{Counters, GetRecord};
pub use credentials::Permission;
pub use error::ServerError;
pub use faults::{Fault, FaultId, FaultKind, Faults};
pub use operation::Operation;
pub use server::{Builder, Server};
