//! What is checked before any S3 call: the request by itself and against the table.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use longshore_crds::LoadRequest;
use longshore_storage::schema::TableSchema;

use super::{FilterRatio, LoadFailure, manifest};
use crate::convert::{Rules, Zone, check_default};
use crate::select::{SelectError, check_source};
use crate::source::{PathPattern, SourceError};

/// A request that can be worked on.
#[derive(Debug)]
pub struct Admitted {
    /// `maxFilterRatio`.
    pub ratio: FilterRatio,
    /// Past this instant nothing is committed.
    pub deadline: Option<SystemTime>,
    /// This attempt's instant of CURRENT_TIMESTAMP, microseconds since the epoch; a plan may hold an earlier one.
    pub now_micros: i64,
    zone: Zone,
    strict: bool,
}

impl Admitted {
    /// The rules of casting, with the frozen instant.
    pub fn rules(&self, now_micros: i64) -> Rules {
        Rules { strict: self.strict, timezone: self.zone, now_micros }
    }
}

/// Checks a request against the table; the error names the field.
pub fn admit(request: &LoadRequest, table: &Arc<TableSchema>) -> Result<Admitted, LoadFailure> {
    let zone = Zone::parse(&request.timezone)?;
    for (source_index, source) in request.sources.iter().enumerate() {
        if let Some(format) = &source.format {
            let checked = format.check(source.columns.as_deref());
            checked.map_err(|error| LoadFailure::Format { source_index, error: Box::new(error) })?;
        }
        check_source(table, source_index, source, zone).map_err(|error| match error {
            SelectError::Columns(error) => LoadFailure::Columns { source_index, error },
            other => LoadFailure::from(other),
        })?;
        if let Some(path) = &source.manifest {
            manifest::check_path(path)?;
        }
        for path in &source.paths {
            if PathPattern::parse(path)?.is_local() {
                let reason = "a load reads from S3; write s3://bucket/key".to_owned();
                return Err(SourceError::InvalidPath { path: path.clone(), reason }.into());
            }
        }
    }
    for column in table.columns() {
        check_default(column).map_err(LoadFailure::Default)?;
    }
    Ok(Admitted {
        ratio: FilterRatio::parse(&request.max_filter_ratio)?,
        deadline: deadline(request)?,
        now_micros: Utc::now().timestamp_micros(),
        zone,
        strict: request.strict_mode,
    })
}

fn deadline(request: &LoadRequest) -> Result<Option<SystemTime>, LoadFailure> {
    let Some(text) = &request.execution.deadline else { return Ok(None) };
    let instant = DateTime::parse_from_rfc3339(text)
        .map_err(|error| LoadFailure::InvalidDeadline { text: text.clone(), error })?;
    let since_epoch = u64::try_from(instant.timestamp_millis()).unwrap_or(0);
    Ok(Some(SystemTime::UNIX_EPOCH + Duration::from_millis(since_epoch)))
}
