//! Second step: object against object, without any I/O. What only the volume can tell, the worker checks.

use longshore_crds::{Pipe, reasons};

use super::build::{BuildError, Builder};
use super::facts::Wanted;
use crate::config::Config;
use crate::holds::Hold;
use crate::pod::TableRef;

/// What is to run, or what an edit of the Pipe must mend before anything can.
pub fn pipe(pipe: &Pipe, table: &TableRef, config: &Config) -> Result<Wanted, Hold> {
    let source = &pipe.spec.source;
    if let Some(Err(error)) = source.format.as_ref().map(|format| format.check(source.columns.as_deref())) {
        return Err(Hold::new(reasons::INVALID_SPEC, format!("spec.source.format: {error}")));
    }
    let refused = |error: BuildError| Hold::new(error.category(), error.to_string());
    Builder::new(pipe, table, config).and_then(|builder| builder.wanted()).map_err(refused)
}
