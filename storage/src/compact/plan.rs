//! Which segments are worth merging: pure, from what the log says of them.

use std::collections::BTreeMap;

use crate::load::Segment;

/// Bytes below which a segment is merged whatever stands beside it: rewriting it costs next to nothing.
const TINY_BYTES: u64 = 1 << 20;
/// A larger segment is rewritten only with at least this share of its bytes beside it.
const LOPSIDED: u64 = 4;

/// What is worth merging, and how much a commit takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanOptions {
    /// Bytes of a segment that is large enough. None of half this size or more is touched.
    pub target_bytes: u64,
    /// Bytes below which a segment counts as small; at most half of `target_bytes` is meant.
    pub small_bytes: u64,
    /// Small segments of a tablet below which it is left alone; at least 2.
    pub min_segments: usize,
    /// Segments that one commit removes, at most (at least 2).
    pub max_commit_inputs: usize,
    /// Bytes of segments that one commit removes, about at most: what is lost if a commit is dropped.
    pub max_commit_bytes: u64,
}

impl Default for PlanOptions {
    /// Whatever gains: two small segments of a tablet.
    fn default() -> Self {
        let target_bytes = 256 << 20;
        Self {
            target_bytes,
            small_bytes: target_bytes / 2,
            min_segments: 2,
            max_commit_inputs: 1_000,
            max_commit_bytes: 4 << 30,
        }
    }
}

impl PlanOptions {
    /// What a pipe does between its batches: only tablets with more than 32 segments below 32 MiB.
    pub fn between_batches() -> Self {
        Self { small_bytes: 32 << 20, min_segments: 33, ..Self::default() }
    }
}

/// Segments of one tablet that become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Partition of the tablet.
    pub partition: String,
    /// Bucket of the tablet.
    pub bucket: u32,
    /// The segments, at least 2, in the order in which the table lists them.
    pub inputs: Vec<Segment>,
}

impl Group {
    /// Bytes of the inputs.
    pub fn bytes(&self) -> u64 {
        self.inputs.iter().map(|segment| segment.bytes).sum()
    }
}

/// The small segments of a table, by tablet; what else the table has is not kept.
#[derive(Debug, Default)]
pub struct Candidates {
    tablets: BTreeMap<(String, u32), Vec<Segment>>,
}

impl Candidates {
    /// Looks at a segment of the table; they come in the order in which the table lists them. A file of
    /// another engine is in no tablet and never a candidate. Statistics are not kept.
    pub fn see(&mut self, segment: Segment, options: &PlanOptions) {
        let small = segment.bytes < options.small_bytes && segment.bytes < options.target_bytes / 2;
        if small && segment.bucket != Segment::NO_BUCKET {
            let tablet = (segment.partition.clone(), segment.bucket);
            self.tablets.entry(tablet).or_default().push(Segment { stats: String::new(), ..segment });
        }
    }

    /// What is to be merged, cut into commits; the groups that take away most segments come first.
    pub fn plan(self, options: &PlanOptions) -> Vec<Vec<Group>> {
        let mut groups = Vec::new();
        for ((partition, bucket), segments) in self.tablets {
            let worth = worth_merging(segments, options);
            let of_inputs = |inputs| Group { partition: partition.clone(), bucket, inputs };
            groups.extend(cut(worth, options).into_iter().map(of_inputs));
        }
        // Stable: tablets stay side by side.
        groups.sort_by_key(|group| std::cmp::Reverse(group.inputs.len()));
        into_commits(groups, options)
    }
}

/// Leaves out segments so large beside the others that rewriting them costs more than it gains, and all if
/// too few are left.
fn worth_merging(mut segments: Vec<Segment>, options: &PlanOptions) -> Vec<Segment> {
    let mut by_size: Vec<usize> = (0..segments.len()).collect();
    by_size.sort_by_key(|at| segments[*at].bytes);
    let mut total: u64 = segments.iter().map(|segment| segment.bytes).sum();
    let mut left_out = vec![false; segments.len()];
    let mut count = segments.len();
    for at in by_size.into_iter().rev() {
        let bytes = segments[at].bytes;
        if bytes <= TINY_BYTES || bytes / LOPSIDED <= total - bytes {
            break;
        }
        left_out[at] = true;
        total -= bytes;
        count -= 1;
    }
    if count < options.min_segments.max(2) {
        return Vec::new();
    }
    let mut left_out = left_out.into_iter();
    segments.retain(|_| !left_out.next().unwrap_or(false));
    segments
}

/// Cuts segments of a tablet, in their order, into groups of about the target size: what is left alone
/// waits for the next time.
fn cut(segments: Vec<Segment>, options: &PlanOptions) -> Vec<Vec<Segment>> {
    let most = options.max_commit_inputs.max(2);
    let mut groups: Vec<Vec<Segment>> = Vec::new();
    let mut bytes = 0;
    for segment in segments {
        let fits = |group: &&mut Vec<Segment>| {
            group.len() < most && (group.len() < 2 || bytes + segment.bytes <= options.target_bytes)
        };
        match groups.last_mut().filter(fits) {
            Some(group) => {
                bytes += segment.bytes;
                group.push(segment);
            }
            None => {
                bytes = segment.bytes;
                groups.push(vec![segment]);
            }
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}

fn into_commits(groups: Vec<Group>, options: &PlanOptions) -> Vec<Vec<Group>> {
    let mut commits: Vec<Vec<Group>> = Vec::new();
    let (mut inputs, mut bytes) = (0, 0);
    for group in groups {
        let full = inputs + group.inputs.len() > options.max_commit_inputs
            || bytes + group.bytes() > options.max_commit_bytes;
        if commits.is_empty() || full {
            commits.push(Vec::new());
            (inputs, bytes) = (0, 0);
        }
        inputs += group.inputs.len();
        bytes += group.bytes();
        if let Some(commit) = commits.last_mut() {
            commit.push(group);
        }
    }
    commits
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn segment(bucket: u32, number: usize, bytes: u64) -> Segment {
        Segment {
            path: format!("b-{bucket:05}/{number}.parquet"),
            partition: String::new(),
            partition_values: Default::default(),
            bucket,
            rows: 1,
            bytes,
            modified_ms: 0,
            stats: "{}".to_owned(),
        }
    }

    fn plan(segments: &[Segment], options: &PlanOptions) -> Vec<Vec<Group>> {
        let mut candidates = Candidates::default();
        segments.iter().for_each(|segment| candidates.see(segment.clone(), options));
        candidates.plan(options)
    }

    /// Sizes of the inputs of each group of a tablet with segments of these sizes.
    fn sizes(bytes: &[u64], options: &PlanOptions) -> Vec<Vec<u64>> {
        let segments: Vec<Segment> = bytes.iter().enumerate().map(|(at, b)| segment(3, at, *b)).collect();
        let groups = plan(&segments, options).into_iter().flatten();
        groups.map(|group| group.inputs.iter().map(|segment| segment.bytes).collect()).collect()
    }

    #[test]
    fn two_small_segments_become_one_and_one_stays_alone() {
        let options = PlanOptions::default();
        assert_eq!(sizes(&[10 * MIB, 20 * MIB], &options), [[10 * MIB, 20 * MIB]]);
        assert!(sizes(&[10 * MIB], &options).is_empty());
        assert!(sizes(&[], &options).is_empty());
    }

    #[test]
    fn half_the_target_is_large_enough() {
        let options = PlanOptions::default();
        assert!(sizes(&[128 * MIB, 128 * MIB, 300 * MIB], &options).is_empty());
        assert_eq!(sizes(&[128 * MIB, 127 * MIB, 100 * MIB], &options), [[127 * MIB, 100 * MIB]]);
    }

    #[test]
    fn a_large_segment_is_not_rewritten_for_a_few_bytes() {
        let options = PlanOptions::default();
        assert!(sizes(&[100 * MIB, 2 * MIB], &options).is_empty());
        assert_eq!(sizes(&[100 * MIB, 2 * MIB, 3 * MIB], &options), [[2 * MIB, 3 * MIB]]);
        assert_eq!(sizes(&[100 * MIB, 20 * MIB, 5 * MIB], &options), [[100 * MIB, 20 * MIB, 5 * MIB]]);
        assert_eq!(sizes(&[MIB, 600], &options), [[MIB, 600]], "tiny ones are always merged");
    }

    #[test]
    fn groups_are_of_the_target_size_and_keep_the_order() {
        let options = PlanOptions::default();
        let bytes = [90 * MIB, 100 * MIB, 80 * MIB, 70 * MIB, 60 * MIB, 120 * MIB];
        assert_eq!(
            sizes(&bytes, &options),
            [vec![80 * MIB, 70 * MIB, 60 * MIB], vec![90 * MIB, 100 * MIB]],
            "the last one waits"
        );
    }

    #[test]
    fn between_batches_only_many_small_ones_count() {
        let options = PlanOptions::between_batches();
        assert!(sizes(&[MIB; 32], &options).is_empty());
        assert_eq!(sizes(&[MIB; 33], &options), [[MIB; 33]]);
        let mut with_larger = vec![MIB; 32];
        with_larger.push(32 * MIB);
        assert!(sizes(&with_larger, &options).is_empty());
    }

    #[test]
    fn files_of_other_engines_are_left_alone() {
        let foreign: Vec<Segment> = (0..50).map(|at| segment(Segment::NO_BUCKET, at, MIB)).collect();
        assert!(plan(&foreign, &PlanOptions::default()).is_empty());
    }

    #[test]
    fn the_fullest_tablets_come_first_and_a_commit_is_bounded() {
        let options = PlanOptions { max_commit_inputs: 5, ..PlanOptions::default() };
        let of = |bucket, count| (0..count).map(move |at| segment(bucket, at, 100));
        let segments: Vec<Segment> = of(1, 2).chain(of(2, 7)).chain(of(3, 3)).collect();
        let commits = plan(&segments, &options);
        let shape: Vec<Vec<(u32, usize)>> =
            commits.iter().map(|c| c.iter().map(|g| (g.bucket, g.inputs.len())).collect()).collect();
        assert_eq!(shape, [vec![(2, 5)], vec![(3, 3), (1, 2)], vec![(2, 2)]]);
    }

    fn any_options() -> impl Strategy<Value = PlanOptions> {
        (1u64..2_000, 1u64..2_000, 0usize..6, 0usize..12, 1u64..20_000).prop_map(
            |(target_bytes, small_bytes, min_segments, max_commit_inputs, max_commit_bytes)| PlanOptions {
                target_bytes: target_bytes * MIB,
                small_bytes: small_bytes * MIB,
                min_segments,
                max_commit_inputs,
                max_commit_bytes: max_commit_bytes * MIB,
            },
        )
    }

    proptest! {
        #[test]
        fn every_plan_keeps_the_rules(
            of in prop::collection::vec((0u32..4, 0u32..2, 1u64..1_500_000_000), 0..60),
            options in any_options(),
        ) {
            let segments: Vec<Segment> = of
                .iter()
                .enumerate()
                .map(|(at, (bucket, partition, bytes))| Segment {
                    partition: format!("p{partition}"),
                    partition_values: Default::default(),
                    bucket: if *bucket == 3 { Segment::NO_BUCKET } else { *bucket },
                    ..segment(*bucket, at, *bytes)
                })
                .collect();
            let commits = plan(&segments, &options);
            let mut used = HashSet::new();
            for commit in &commits {
                prop_assert!(!commit.is_empty());
                let inputs: usize = commit.iter().map(|group| group.inputs.len()).sum();
                prop_assert!(inputs <= options.max_commit_inputs.max(2));
                let bytes: u64 = commit.iter().map(Group::bytes).sum();
                prop_assert!(commit.len() == 1 || bytes <= options.max_commit_bytes);
                for group in commit {
                    prop_assert!(group.inputs.len() >= 2);
                    prop_assert!(group.inputs.len() == 2 || group.bytes() <= options.target_bytes);
                    let place = |path: &str| segments.iter().position(|s| s.path == path).unwrap();
                    prop_assert!(group.inputs.is_sorted_by_key(|segment| place(&segment.path)));
                    for input in &group.inputs {
                        prop_assert!(used.insert(input.path.clone()), "{} is merged twice", input.path);
                        prop_assert!(input.bytes < options.small_bytes.min(options.target_bytes));
                        prop_assert!(input.bytes < options.target_bytes / 2);
                        prop_assert_ne!(input.bucket, Segment::NO_BUCKET);
                        prop_assert_eq!((&input.partition, input.bucket), (&group.partition, group.bucket));
                    }
                }
            }
        }

        /// Run again and again on its own outputs, it comes to an end.
        #[test]
        fn compacting_comes_to_an_end(bytes in prop::collection::vec(1u64..200_000_000, 0..80)) {
            let options = PlanOptions::default();
            let mut segments: Vec<Segment> =
                bytes.iter().enumerate().map(|(at, b)| segment(0, at, *b)).collect();
            let mut made = segments.len();
            for _ in 0..=bytes.len() {
                let before = segments.len();
                for group in plan(&segments, &options).into_iter().flatten() {
                    segments.retain(|segment| !group.inputs.iter().any(|input| input.path == segment.path));
                    segments.push(segment(0, made, group.bytes()));
                    made += 1;
                }
                if segments.len() == before {
                    return Ok(());
                }
                prop_assert!(segments.len() < before);
            }
            prop_assert!(false, "no end");
        }
    }
}
