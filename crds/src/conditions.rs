//! Types of conditions, and how to set one.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// The load is loaded.
pub const COMPLETE: &str = "Complete";
/// The load is not loaded, and nothing of it is visible.
pub const FAILED: &str = "Failed";
/// The load has ended, one way or the other.
pub const FINISHED: &str = "Finished";
/// What the spec asks for is not there yet.
pub const RECONCILING: &str = "Reconciling";
/// Nothing will happen until the object is edited.
pub const STALLED: &str = "Stalled";
/// Every condition of a LoadJob; all of them stand from the first visit on.
pub const OF_LOAD_JOB: [&str; 5] = [COMPLETE, FAILED, FINISHED, RECONCILING, STALLED];
/// The table can take loads.
pub const READY: &str = "Ready";
/// Every condition of a Table; all of them stand from the first visit on.
pub const OF_TABLE: [&str; 3] = [READY, RECONCILING, STALLED];
/// `suspend` stopped the pipe.
pub const SUSPENDED: &str = "Suspended";
/// The last request to the store was answered.
pub const SOURCE_REACHABLE: &str = "SourceReachable";
/// Every condition of a Pipe; all of them stand from the first visit on, `SourceReachable` once a worker told
/// of it.
pub const OF_PIPE: [&str; 5] = [READY, RECONCILING, STALLED, SUSPENDED, SOURCE_REACHABLE];

/// Puts a condition into a list: the time of transition moves only when the status changes.
pub fn set(
    conditions: &mut Vec<Condition>,
    type_: &str,
    status: bool,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    now: &Time,
) {
    let status = if status { "True" } else { "False" };
    let index = conditions.iter().position(|condition| condition.type_ == type_);
    let since = index
        .map(|index| &conditions[index])
        .filter(|condition| condition.status == status)
        .map_or_else(|| now.clone(), |condition| condition.last_transition_time.clone());
    let condition = Condition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: generation,
        last_transition_time: since,
    };
    match index {
        Some(index) => conditions[index] = condition,
        None => conditions.push(condition),
    }
}

/// Whether a condition stands and is True.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    conditions.iter().any(|condition| condition.type_ == type_ && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_transition_moves_only_with_the_status() {
        let time = |text: &str| -> Time { serde_json::from_value(serde_json::json!(text)).unwrap() };
        let (first, second) = (time("2024-01-01T00:00:00Z"), time("2024-01-02T00:00:00Z"));
        let mut conditions = Vec::new();
        set(&mut conditions, READY, true, "A", "", Some(1), &first);
        set(&mut conditions, READY, true, "B", "", Some(2), &second);
        assert_eq!(conditions.len(), 1);
        assert_eq!((conditions[0].reason.as_str(), &conditions[0].last_transition_time), ("B", &first));
        assert!(is_true(&conditions, READY));
        set(&mut conditions, READY, false, "C", "", Some(2), &second);
        assert_eq!(conditions[0].last_transition_time, second);
        assert!(!is_true(&conditions, READY));
    }
}
