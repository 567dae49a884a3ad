//! `/metrics`: what a worker counts, in Prometheus' text format.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use longshore_crds::PipeProgress;
use longshore_storage::tablet::WriterMetrics;
use prometheus::core::Collector;
use prometheus::{Counter, CounterVec, Encoder, Gauge, Opts, Registry, TextEncoder};

use crate::pipe;
use crate::progress::Progress;
use crate::source::RequestMetrics;

/// Seconds of work, summed over threads.
#[derive(Debug, Default)]
pub struct Clock(AtomicU64);

impl Clock {
    /// Adds a span.
    pub fn add(&self, span: Duration) {
        self.0.fetch_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Seconds so far.
    pub fn seconds(&self) -> f64 {
        Duration::from_nanos(self.0.load(Ordering::Relaxed)).as_secs_f64()
    }
}

/// Seconds by stage of the pipeline; the tablet writer keeps its own ([`WriterMetrics`]).
#[derive(Debug, Default)]
pub struct StageClock {
    /// Reading and parsing footers.
    pub open: Clock,
    /// Decoding, with the waits for bytes.
    pub decode: Clock,
    /// Mapping, casting, checking.
    pub convert: Clock,
    /// In the tablet writer: routing, sorting, encoding.
    pub append: Clock,
}

/// Everything that is counted in one worker.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Rows and bytes.
    pub progress: Arc<Progress>,
    /// S3 requests.
    pub requests: Arc<RequestMetrics>,
    /// The tablet writer.
    pub writer: Arc<WriterMetrics>,
    /// Stages.
    pub clock: Arc<StageClock>,
}

impl Metrics {
    /// The exposition text as of now. Counters are read from the atomics that the pipeline keeps, so that
    /// the hot path knows nothing of Prometheus.
    pub fn text(&self) -> Result<Vec<u8>, prometheus::Error> {
        self.text_with(None)
    }

    /// The same, with the figures of a pipe.
    pub fn text_with(&self, pipe: Option<&PipeProgress>) -> Result<Vec<u8>, prometheus::Error> {
        let registry = Registry::new();
        if let Some(pipe) = pipe {
            pipe::register_metrics(&registry, pipe)?;
        }
        self.rows_and_bytes(&registry)?;
        self.s3_requests(&registry)?;
        self.stages(&registry)?;
        self.memory(&registry)?;
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text)?;
        Ok(text)
    }

    fn rows_and_bytes(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        let rows =
            CounterVec::new(Opts::new("longshore_rows_total", "Rows by what became of them."), &["state"])?;
        let progress = &self.progress;
        for (state, count) in [
            ("read", &progress.rows_read),
            ("loaded", &progress.rows_loaded),
            ("filtered", &progress.rows_filtered),
            ("written", &progress.rows_written),
        ] {
            rows.with_label_values(&[state]).inc_by(as_float(Progress::get(count)));
        }
        register(registry, rows)?;
        counter(
            registry,
            "longshore_source_bytes_total",
            "Bytes of the source that are read.",
            as_float(Progress::get(&progress.bytes_read)),
        )?;
        counter(
            registry,
            "longshore_files_total",
            "Files read to their end.",
            as_float(Progress::get(&progress.files_done)),
        )?;
        counter(
            registry,
            "longshore_files_skipped_total",
            "Files that were left out as a whole.",
            as_float(Progress::get(&progress.files_skipped)),
        )
    }

    fn s3_requests(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        let requests = CounterVec::new(
            Opts::new("longshore_s3_requests_total", "Requests to the store by operation and outcome."),
            &["operation", "outcome"],
        )?;
        let snapshot = self.requests.snapshot();
        for (operation, outcome, count) in &snapshot.requests {
            requests.with_label_values(&[operation.as_str(), outcome.as_str()]).inc_by(as_float(*count));
        }
        register(registry, requests)?;
        counter(
            registry,
            "longshore_s3_received_bytes_total",
            "Bytes of bodies received from the store.",
            as_float(snapshot.bytes_received),
        )?;
        counter(registry, "longshore_s3_retries_total", "Requests sent again.", as_float(snapshot.retries))
    }

    fn stages(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        let seconds = CounterVec::new(
            Opts::new("longshore_stage_seconds_total", "Seconds by stage, summed over threads."),
            &["stage"],
        )?;
        let clock = &self.clock;
        for (stage, clock) in [
            ("open", &clock.open),
            ("decode", &clock.decode),
            ("convert", &clock.convert),
            ("append", &clock.append),
        ] {
            seconds.with_label_values(&[stage]).inc_by(clock.seconds());
        }
        let writer = &self.writer;
        for (stage, nanos) in [
            ("route", &writer.route_nanos),
            ("sort", &writer.sort_nanos),
            ("gather", &writer.gather_nanos),
            ("encode", &writer.encode_nanos),
            ("spill", &writer.spill_nanos),
            ("merge", &writer.merge_nanos),
            ("sync", &writer.sync_nanos),
        ] {
            let span = Duration::from_nanos(nanos.load(Ordering::Relaxed));
            seconds.with_label_values(&[stage]).inc_by(span.as_secs_f64());
        }
        register(registry, seconds)
    }

    fn memory(&self, registry: &Registry) -> Result<(), prometheus::Error> {
        let buffered = Gauge::new("longshore_buffer_bytes", "Bytes in the run buffer.")?;
        buffered.set(as_float(Progress::get(&self.writer.buffered_bytes)));
        register(registry, buffered)?;
        counter(
            registry,
            "longshore_spill_bytes_total",
            "Bytes spilled to the volume.",
            as_float(Progress::get(&self.writer.spilled_bytes)),
        )
    }
}

fn counter(registry: &Registry, name: &str, help: &str, value: f64) -> Result<(), prometheus::Error> {
    let counter = Counter::new(name, help)?;
    counter.inc_by(value);
    register(registry, counter)
}

fn register(registry: &Registry, collector: impl Collector + 'static) -> Result<(), prometheus::Error> {
    registry.register(Box::new(collector))
}

/// Prometheus counts in floats: exact up to 2^53.
#[expect(clippy::cast_precision_loss, reason = "the exposition format has nothing else")]
fn as_float(count: u64) -> f64 {
    count as f64
}
