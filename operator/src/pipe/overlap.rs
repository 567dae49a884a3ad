//! Which Pipes would load the same files into the same Table, or keep one ledger. Pure.

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use longshore_crds::source::Source;
use longshore_crds::{Pipe, reasons};

use super::build::request_digest;
use super::turn::{self, Place};
use crate::holds::Hold;

/// Characters with a meaning in a path; `\` takes it from the next one.
const SPECIAL: [char; 8] = ['?', '*', '[', ']', '{', '}', ',', '\\'];

/// The first other Pipe that stands in the way of this one, as what this one waits for: one with an earlier place in
/// the line that has not ended.
pub fn elder<'a>(pipe: &Pipe, others: impl IntoIterator<Item = &'a Pipe>) -> Option<Hold> {
    let place = Place::of(pipe, &request_digest(pipe));
    let before = in_line(pipe, others).filter(|(other, _)| *other < place);
    let conflicts = before.filter_map(|(before, other)| Some((before, conflict(pipe, other)?)));
    let (elder, hold) = conflicts.min_by(|(one, _), (other, _)| one.cmp(other))?;
    tracing::debug!(?elder, reason = hold.reason, "another Pipe is in the way");
    Some(hold)
}

/// Since when the last one holds its place of those that may be in this one's way; `None`: there is none.
pub fn last_in_line<'a>(pipe: &Pipe, others: impl IntoIterator<Item = &'a Pipe>) -> Option<Timestamp> {
    in_line(pipe, others).filter_map(|(place, _)| place.since()).max()
}

/// A sentence about a Pipe that has ended and loaded files of the same paths under another ledger, which this one
/// does not know.
pub fn forgotten<'a>(pipe: &Pipe, others: impl IntoIterator<Item = &'a Pipe>) -> Option<String> {
    let mut ended = others.into_iter().filter(|other| {
        is_neighbour(other, pipe)
            && pipe.ledger() != other.ledger()
            && turn::has_ended(other, &request_digest(other))
    });
    ended.find_map(|other| {
        let (_, theirs) = overlap(&pipe.spec.source, &other.spec.source)?;
        Some(format!(
            "Pipe {} has loaded files of {theirs} before, under the ledger {}; this ledger, {}, does not know them, and \
             those that are still there are loaded again",
            other.name_any(),
            other.ledger(),
            pipe.ledger()
        ))
    })
}

/// Pipes of the same Table that have not ended, with their places.
fn in_line<'a>(
    pipe: &Pipe,
    others: impl IntoIterator<Item = &'a Pipe>,
) -> impl Iterator<Item = (Place, &'a Pipe)> {
    others.into_iter().filter(|other| is_neighbour(other, pipe)).filter_map(|other| {
        let digest = request_digest(other);
        (!turn::has_ended(other, &digest)).then(|| (Place::of(other, &digest), other))
    })
}

/// Whether two Pipes may be in each other's way at all.
pub fn is_neighbour(other: &Pipe, pipe: &Pipe) -> bool {
    other.namespace() == pipe.namespace()
        && other.name_any() != pipe.name_any()
        && other.spec.table == pipe.spec.table
        && other.metadata.deletion_timestamp.is_none()
}

/// Whether two Pipes of a Table keep one ledger, or may load the same files.
pub fn conflicts(pipe: &Pipe, other: &Pipe) -> bool {
    conflict(pipe, other).is_some()
}

fn conflict(pipe: &Pipe, elder: &Pipe) -> Option<Hold> {
    let (name, table) = (elder.name_any(), &pipe.spec.table);
    if pipe.ledger() == elder.ledger() {
        let message = format!(
            "Pipe {name} came first and keeps the ledger {} of Table {table}; this one goes on when that one has ended or is \
             deleted; or make this one again with a ledger of its own",
            pipe.ledger()
        );
        return Some(Hold::new(reasons::LEDGER_IN_USE, message));
    }
    let (ours, theirs) = overlap(&pipe.spec.source, &elder.spec.source)?;
    let message = format!(
        "Pipe {name} came first and loads {theirs} into Table {table}, which may hold files of {ours}: they would be \
         loaded twice; delete one of the two, or change spec.source.paths"
    );
    Some(Hold::new(reasons::SOURCE_OVERLAPS, message))
}

/// The first two paths, one of each, that may have an object in common.
fn overlap<'a>(one: &'a Source, other: &'a Source) -> Option<(&'a str, &'a str)> {
    if endpoint(one) != endpoint(other) {
        return None;
    }
    let pairs = one.paths.iter().flat_map(|one| other.paths.iter().map(move |other| (one, other)));
    pairs.map(|(one, other)| (one.as_str(), other.as_str())).find(|(one, other)| may_share(one, other))
}

fn endpoint(source: &Source) -> Option<&str> {
    source.s3.endpoint.as_deref().map(|endpoint| endpoint.trim_end_matches('/'))
}

/// Whether an object may match both: its key begins with what stands before the first wildcard of each, and ends
/// with what stands after the last one.
fn may_share(one: &str, other: &str) -> bool {
    let (one, other) = (scheme_off(one), scheme_off(other));
    let (head, tail) = (head(one), tail(one));
    let (other_head, other_tail) = (self::head(other), self::tail(other));
    let heads = head.starts_with(other_head) || other_head.starts_with(head);
    let tails = tail.ends_with(other_tail) || other_tail.ends_with(tail);
    // A path without wildcards is one key: as its own beginning, it must begin as the other does.
    let is_key = |path: &str| !path.contains(SPECIAL);
    let keys =
        (!is_key(one) || head.starts_with(other_head)) && (!is_key(other) || other_head.starts_with(head));
    heads && tails && keys
}

fn scheme_off(path: &str) -> &str {
    path.split_once("://").map_or(path, |(_, rest)| rest)
}

fn head(path: &str) -> &str {
    path.split(SPECIAL).next().unwrap_or_default()
}

fn tail(path: &str) -> &str {
    path.rsplit(SPECIAL).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pipe(name: &str, created: &str, path: &str) -> Pipe {
        serde_json::from_value(json!({
            "apiVersion": "longshore.dev/v1alpha1", "kind": "Pipe",
            "metadata": {"name": name, "namespace": "n", "uid": name, "creationTimestamp": created},
            "spec": {"table": "t", "source": {"paths": [path]}},
        }))
        .unwrap()
    }

    #[test]
    fn paths_overlap_where_an_object_may_match_both() {
        for (one, other, shares) in [
            ("s3://b/a/*.parquet", "s3://b/a/*.parquet", true),
            ("s3://b/a/*.parquet", "s3a://b/a/x/*.parquet", true),
            ("s3://b/a/*.parquet", "s3://b/a/*.csv", false),
            ("s3://b/a/*", "s3://b/b/*", false),
            ("s3://b/a/*", "s3://c/a/*", false),
            ("s3://b/a/*", "s3://b/a/one.csv", true),
            ("s3://b/a/one.csv", "s3://b/a/*/two.csv", false),
            ("s3://b/a/one.csv", "s3://b/a/one.csv", true),
            ("s3://b/a/one.csv", "s3://b/a/one.csv.gz", false),
            ("s3://b/{x,y}/*", "s3://b/x/1", true),
            ("s3://b/a/[0-9].csv", "s3://b/a/7.csv", true),
        ] {
            assert_eq!(may_share(one, other), shares, "{one} and {other}");
            assert_eq!(may_share(other, one), shares, "{other} and {one}");
        }
    }

    #[test]
    fn of_two_pipes_the_younger_gives_way_and_names_the_older() {
        let (noon, later) = ("2026-01-01T12:00:00Z", "2026-01-01T12:00:01Z");
        let path = "s3://b/a/*";
        let (a, b) = (pipe("a", later, path), pipe("b", noon, path));
        assert_eq!(elder(&b, [&a, &b]), None);
        let hold = elder(&a, [&a, &b]).unwrap();
        assert_eq!(hold.reason, reasons::SOURCE_OVERLAPS);
        assert!(hold.message.contains("Pipe b"), "{}", hold.message);
        // Of one age: the name decides.
        let c = pipe("c", noon, path);
        assert!(elder(&c, [&b]).is_some() && elder(&b, [&c]).is_none());
        // Other paths, and one ledger.
        let mut d = pipe("d", later, "s3://b/d/*");
        assert_eq!(elder(&d, [&b]), None);
        d.spec.ledger = Some("b".to_owned());
        assert_eq!(elder(&d, [&b]).unwrap().reason, reasons::LEDGER_IN_USE);
        // Of another Table, or on its way out.
        d.spec.table = "u".to_owned();
        assert_eq!(elder(&d, [&b]), None);
        let mut gone = b;
        gone.metadata.deletion_timestamp = gone.metadata.creation_timestamp.clone();
        assert_eq!(elder(&a, [&gone]), None);
    }
}
