//! What the operator counts, for Prometheus.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

/// How one reconcile ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The object is as its spec asks for.
    Applied,
    /// Something is awaited, and looked at again after a time.
    Waiting,
    /// This replica does not lead, or the object cannot be read.
    Skipped,
    /// An error.
    Failed,
    /// Cut short: leadership was lost, or the time limit passed.
    Abandoned,
}

impl Outcome {
    /// Value of the label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Waiting => "waiting",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }
}

/// The metrics; clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    reconciliations: IntCounterVec,
    durations: HistogramVec,
    errors: IntCounterVec,
    api_requests: IntCounterVec,
    leader: IntGauge,
    build: IntGaugeVec,
}

impl Metrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// A name that is no name of Prometheus.
    pub fn new() -> Result<Self, prometheus::Error> {
        let metrics = Self {
            registry: Registry::new(),
            reconciliations: IntCounterVec::new(
                Opts::new("longshore_reconciliations_total", "Reconciles, by controller and outcome"),
                &["controller", "outcome"],
            )?,
            durations: HistogramVec::new(
                HistogramOpts::new("longshore_reconciliation_duration_seconds", "Time of a reconcile")
                    .buckets(vec![0.01, 0.05, 0.25, 1.0, 5.0, 30.0]),
                &["controller"],
            )?,
            errors: IntCounterVec::new(
                Opts::new("longshore_reconciliation_errors_total", "Failed reconciles, by category"),
                &["controller", "category"],
            )?,
            api_requests: IntCounterVec::new(
                Opts::new("longshore_kubernetes_requests_total", "Requests to the apiserver"),
                &["method", "resource", "code"],
            )?,
            leader: IntGauge::new("longshore_leader", "Whether this replica leads")?,
            build: IntGaugeVec::new(
                Opts::new("longshore_build_info", "Version of this build"),
                &["version"],
            )?,
        };
        metrics.build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        metrics.register(metrics.reconciliations.clone())?;
        metrics.register(metrics.durations.clone())?;
        metrics.register(metrics.errors.clone())?;
        metrics.register(metrics.api_requests.clone())?;
        metrics.register(metrics.leader.clone())?;
        metrics.register(metrics.build.clone())?;
        Ok(metrics)
    }

    /// Adds a metric of a controller.
    ///
    /// # Errors
    /// Its name is taken.
    pub fn register(&self, collector: impl Collector + 'static) -> Result<(), prometheus::Error> {
        self.registry.register(Box::new(collector))
    }

    /// Counts a reconcile.
    pub fn reconciled(&self, controller: &str, outcome: Outcome, took: Duration) {
        self.reconciliations.with_label_values(&[controller, outcome.name()]).inc();
        if outcome != Outcome::Skipped {
            self.durations.with_label_values(&[controller]).observe(took.as_secs_f64());
        }
    }

    /// Counts an error of a reconcile, by its category.
    pub fn failed(&self, controller: &str, category: &str) {
        self.errors.with_label_values(&[controller, category]).inc();
    }

    /// Counts a request to the apiserver; a code of 0: there was no answer.
    pub fn api_request(&self, method: &str, resource: &str, code: u16) {
        self.api_requests.with_label_values(&[method, resource, &code.to_string()]).inc();
    }

    /// Says whether this replica leads.
    pub fn set_leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// The text of `/metrics`.
    ///
    /// # Errors
    /// A metric cannot be written.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_told() {
        let metrics = Metrics::new().unwrap();
        metrics.reconciled("table", Outcome::Applied, Duration::from_millis(20));
        metrics.reconciled("table", Outcome::Skipped, Duration::ZERO);
        metrics.failed("table", "Conflict");
        metrics.api_request("GET", "jobs", 200);
        metrics.set_leader(true);
        let text = metrics.text().unwrap();
        for line in [
            r#"longshore_reconciliations_total{controller="table",outcome="applied"} 1"#,
            r#"longshore_reconciliations_total{controller="table",outcome="skipped"} 1"#,
            r#"longshore_reconciliation_duration_seconds_bucket{controller="table",le="0.05"} 1"#,
            r#"longshore_reconciliation_duration_seconds_count{controller="table"} 1"#,
            r#"longshore_reconciliation_errors_total{category="Conflict",controller="table"} 1"#,
            r#"longshore_kubernetes_requests_total{code="200",method="GET",resource="jobs"} 1"#,
            "longshore_leader 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
