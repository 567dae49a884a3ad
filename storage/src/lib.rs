//! Durable, sorted, bucketed Delta tables on a volume. Not a word of S3 or Kubernetes here.

pub mod compact;
pub mod durable;
pub mod history;
pub mod ledger;
pub mod load;
pub mod log;
mod parquet_io;
pub mod scan;
pub mod schema;
pub mod table;
pub mod tablet;
pub mod types;
pub mod vacuum;
pub mod verify;
