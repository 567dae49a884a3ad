//! The one runtime of all tests of a process: clients, the provisioner and S3 servers outlive the test that made them.

use std::future::Future;
use std::sync::OnceLock;

use anyhow::{Result, anyhow};
use tokio::runtime::{Builder, Runtime};

/// Runs a test to its end on the shared runtime.
pub fn run<T>(test: impl Future<Output = Result<T>>) -> Result<T> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let make = || Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string());
    match RUNTIME.get_or_init(make) {
        Ok(runtime) => runtime.block_on(test),
        Err(error) => Err(anyhow!("cannot start the runtime: {error}")),
    }
}
