//! Why a ledger does not know a file: pure, from the Pipe.

use chrono::{DateTime, Duration, SecondsFormat};
use kube::ResourceExt;
use longshore_crds::{Pipe, PipeState};
use longshore_storage::ledger::FileKey;
use longshore_worker::source::PathPattern;

/// Whether a path of the pipe's source matches a file.
pub fn matches(pipe: &Pipe, file: &str) -> bool {
    let Some((bucket, key)) = FileKey::parse_uri(file) else { return false };
    let patterns = pipe.spec.source.paths.iter().filter_map(|path| PathPattern::parse(path).ok());
    patterns.into_iter().any(|pattern| pattern.bucket() == bucket && pattern.matches(key))
}

/// What is said of a file that the ledger does not know.
pub fn unknown(pipe: &Pipe, file: &str) -> String {
    format!("pipe.longshore.dev/{}: unknown: {}", pipe.name_any(), reason(pipe, file))
}

fn reason(pipe: &Pipe, file: &str) -> String {
    if !matches(pipe, file) {
        return format!("no path of its source matches it ({})", pipe.spec.source.paths.join(", "));
    }
    let status = pipe.status.as_ref();
    let state = status.and_then(|status| status.state);
    if pipe.spec.suspend {
        return "it is not listed yet, and the pipe is suspended".to_owned();
    }
    if matches!(state, Some(PipeState::Finished | PipeState::Error)) {
        return "it was not there when the pipe listed; it lists once (autoIngest: false) and has ended"
            .to_owned();
    }
    let listed = status.and_then(|status| status.last_list_time.as_deref());
    let listed = listed.and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    match listed {
        Some(listed) => {
            let next = listed + Duration::seconds(pipe.spec.poll_interval_seconds.into());
            let next = next.to_rfc3339_opts(SecondsFormat::Secs, true);
            format!(
                "it is not listed yet; next listing at {next}, or later where maxListRequestsPerHour asks \
                 for it"
            )
        }
        None => "it is not listed yet; the pipe has told of no listing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use longshore_crds::PipeStatus;

    use super::*;

    fn pipe() -> Pipe {
        serde_yaml::from_str(
            "{apiVersion: longshore.dev/v1alpha1, kind: Pipe, metadata: {name: p}, \
              spec: {table: t, pollIntervalSeconds: 60, source: {paths: ['s3://b/d/*.csv']}}}",
        )
        .unwrap()
    }

    #[test]
    fn a_file_that_is_not_known_is_explained() {
        let mut pipe = pipe();
        let said = |pipe: &Pipe, file: &str| unknown(pipe, file);
        for other in ["s3://b/d/x/y.csv", "s3://c/d/y.csv", "s3://b/d/y.json"] {
            assert!(said(&pipe, other).contains("no path of its source matches it"), "{other}");
        }
        let file = "s3://b/d/a, \"b\".csv";
        assert!(said(&pipe, file).ends_with("told of no listing"));
        let listed = PipeStatus {
            last_list_time: Some("2024-01-01T00:00:30.000Z".to_owned()),
            ..PipeStatus::default()
        };
        pipe.status = Some(listed);
        assert!(said(&pipe, file).contains("next listing at 2024-01-01T00:01:30Z"), "{}", said(&pipe, file));
        pipe.status.as_mut().unwrap().state = Some(PipeState::Finished);
        assert!(said(&pipe, file).contains("has ended"));
        pipe.spec.suspend = true;
        assert!(said(&pipe, file).contains("suspended"));
    }
}
