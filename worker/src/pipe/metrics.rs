//! A pipe in Prometheus' text format.

use chrono::DateTime;
use longshore_crds::PipeProgress;
use prometheus::{Gauge, GaugeVec, Opts, Registry};

/// Registers the figures of a pipe as of now.
///
/// # Errors
/// A name that is taken.
pub fn register(registry: &Registry, pipe: &PipeProgress) -> Result<(), prometheus::Error> {
    let files = [
        ("UNLOADED", pipe.unloaded_files),
        ("LOADING", pipe.loading_files),
        ("FINISHED", pipe.loaded_files),
        ("ERROR", pipe.error_files),
        ("IGNORED", pipe.ignored_files),
    ];
    by_state(registry, "longshore_pipe_files", "Files of the ledger by state.", &pipe.ledger, files)?;
    if let Some(after_load) = &pipe.after_load {
        let files = [
            ("pending", after_load.pending_files),
            ("done", after_load.done_files),
            ("left", after_load.left_files),
            ("failed", after_load.failed_files),
        ];
        let help = "Loaded files by what became of their objects.";
        by_state(registry, "longshore_pipe_after_load_files", help, &pipe.ledger, files)?;
    }
    let seconds = |instant: &Option<String>| {
        let instant = instant.as_deref().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        instant.map_or(0.0, |instant| instant.timestamp_millis() as f64 / 1_000.0)
    };
    let reachable = pipe.source.as_ref().is_none_or(|source| source.reachable);
    for (name, help, value) in [
        ("longshore_pipe_backlog_bytes", "Bytes of the files that wait.", as_float(pipe.unloaded_bytes)),
        (
            "longshore_pipe_oldest_waiting_seconds",
            "Age of the file that waits longest, since it was listed.",
            as_float(pipe.lag_seconds),
        ),
        ("longshore_pipe_backlog_files", "Files that wait.", as_float(pipe.unloaded_files)),
        ("longshore_pipe_batches", "Batches of this worker that ended.", as_float(pipe.batches)),
        (
            "longshore_pipe_batch_seconds",
            "Seconds that the batches of this worker took together.",
            as_float(pipe.batch_millis) / 1_000.0,
        ),
        ("longshore_pipe_list_requests", "List requests of this worker.", as_float(pipe.list_requests)),
        (
            "longshore_pipe_last_success_timestamp_seconds",
            "When this worker committed a batch last; 0: not yet.",
            seconds(&pipe.last_loaded_time),
        ),
        (
            "longshore_pipe_last_list_timestamp_seconds",
            "When this worker listed the whole source last; 0: not yet.",
            seconds(&pipe.last_full_list_time),
        ),
        ("longshore_pipe_source_reachable", "1: the store answers.", f64::from(u8::from(reachable))),
    ] {
        let gauge = Gauge::with_opts(Opts::new(name, help).const_label("ledger", &pipe.ledger))?;
        gauge.set(value);
        registry.register(Box::new(gauge))?;
    }
    Ok(())
}

fn by_state<const N: usize>(
    registry: &Registry,
    name: &str,
    help: &str,
    ledger: &str,
    counts: [(&str, u64); N],
) -> Result<(), prometheus::Error> {
    let files = GaugeVec::new(Opts::new(name, help), &["ledger", "state"])?;
    for (state, count) in counts {
        files.with_label_values(&[ledger, state]).set(as_float(count));
    }
    registry.register(Box::new(files))
}

/// Prometheus counts in floats: exact up to 2^53.
fn as_float(count: u64) -> f64 {
    count as f64
}
