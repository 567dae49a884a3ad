//! How a LoadJob's status is written, by the operator and by local mode alike.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::{LoadJobStatus, LoadReport, LoadState, conditions, reasons};

impl LoadJobStatus {
    /// Takes over the figures of a report; which state follows from it is another matter.
    pub fn take_figures(&mut self, report: &LoadReport) {
        let counts = &report.counts;
        self.label = Some(report.label.clone());
        self.scan_rows = Some(counts.scan_rows);
        self.scan_bytes = Some(counts.scan_bytes);
        self.filtered_rows = Some(counts.filtered_rows);
        self.unselected_rows = Some(counts.unselected_rows);
        self.sink_rows = Some(counts.sink_rows);
        self.file_number = Some(counts.file_number);
        self.file_size = Some(counts.file_size);
        self.skipped_files = Some(counts.skipped_files);
        let started = self.load_start_time.take();
        self.load_start_time = report.times.start.clone().or(started);
        self.load_commit_time.clone_from(&report.times.commit);
        self.load_finish_time.clone_from(&report.times.finish);
        self.rejected_record_path.clone_from(&report.rejected_record_path);
        self.first_errors.clone_from(&report.first_errors);
        self.table_version = report.table_version;
    }

    /// Sets every condition of a LoadJob: those of `holding` are True, the others False.
    pub fn set_conditions(
        &mut self,
        holding: &[&str],
        reason: &str,
        message: &str,
        generation: Option<i64>,
        now: &Time,
    ) {
        for type_ in conditions::OF_LOAD_JOB {
            let holds = holding.contains(&type_);
            conditions::set(&mut self.conditions, type_, holds, reason, message, generation, now);
        }
    }

    /// The conditions that are True in a state (design §2). What only an edit mends is Stalled, and is not
    /// Reconciling.
    pub fn holding(state: LoadState, stalled: bool) -> &'static [&'static str] {
        match state {
            LoadState::Finished => &[conditions::COMPLETE, conditions::FINISHED],
            LoadState::Cancelled => &[conditions::FAILED, conditions::FINISHED, conditions::STALLED],
            _ if stalled => &[conditions::STALLED],
            _ => &[conditions::RECONCILING],
        }
    }
}

impl LoadReport {
    /// Reason of a load whose rows are in the table.
    pub fn loaded_reason(&self) -> &'static str {
        loaded_reason(self.counts.skipped_files, self.counts.filtered_rows)
    }
}

/// Reason of a load whose rows are in the table: the heaviest of what was left out.
pub fn loaded_reason(skipped_files: u64, filtered_rows: u64) -> &'static str {
    match (skipped_files, filtered_rows) {
        (0, 0) => reasons::LOADED,
        (0, _) => reasons::LOADED_WITH_FILTERED_ROWS,
        _ => reasons::LOADED_WITH_SKIPPED_FILES,
    }
}
