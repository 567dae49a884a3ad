//! Conditional requests: If-Match and If-None-Match.

use s3s::dto::ETagCondition;
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

/// Checks the conditions of a read against the object's ETag: 412 for If-Match, 304 for If-None-Match.
pub(crate) fn check_read(
    etag: &str,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    if if_match.is_some_and(|condition| !fits(condition, etag)) {
        return Err(s3_error!(
            PreconditionFailed,
            "At least one of the pre-conditions you specified did not hold"
        ));
    }
    if if_none_match.is_some_and(|condition| fits(condition, etag)) {
        return Err(S3Error::new(S3ErrorCode::NotModified));
    }
    Ok(())
}

/// Checks the conditions of a write against the ETag that stands, if any: 412 when they do not hold.
pub(crate) fn check_write(
    etag: Option<&str>,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let matched = if_match.is_none_or(|condition| etag.is_some_and(|etag| fits(condition, etag)));
    let unmatched = if_none_match.is_none_or(|condition| !etag.is_some_and(|etag| fits(condition, etag)));
    if matched && unmatched {
        return Ok(());
    }
    Err(s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold"))
}

fn fits(condition: &ETagCondition, etag: &str) -> bool {
    condition.as_etag().is_none_or(|wanted| wanted.value() == etag)
}
