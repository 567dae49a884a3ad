//! Whether a Pipe has ended, and its place in the line of Pipes that are in each other's way. Pure.

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use longshore_crds::{Pipe, PipeState, PipeStatus, RUN_AGAIN};

/// Bytes of the annotation that count, as many as a status takes.
const RUN_AGAIN_BYTES: usize = 128;

/// What the annotation `longshore.dev/run-again` asks for; `None`: nothing.
pub fn run_again(pipe: &Pipe) -> Option<&str> {
    let value = pipe.annotations().get(RUN_AGAIN)?;
    Some(&value[..value.floor_char_boundary(RUN_AGAIN_BYTES)]).filter(|value| !value.is_empty())
}

/// Whether a Pipe has worked off its request, which has this digest, and nobody asks for another run. An
/// annotation that was taken away asks for nothing.
pub fn has_ended(pipe: &Pipe, digest: &str) -> bool {
    let Some(status) = &pipe.status else { return false };
    let asked = run_again(pipe);
    !pipe.spec.auto_ingest
        && says_end(status)
        && status.finished_request.as_deref() == Some(digest)
        && asked.is_none_or(|asked| status.run_again.as_deref() == Some(asked))
}

/// Whether a Pipe has ended, and is asked to run once more.
pub fn begins_again(pipe: &Pipe, digest: &str) -> bool {
    pipe.status.as_ref().is_some_and(says_end) && !has_ended(pipe, digest)
}

fn says_end(status: &PipeStatus) -> bool {
    matches!(status.state, Some(PipeState::Finished | PipeState::Error))
}

/// A place in the line; the first one works. It is kept as long as the Pipe does not end, whatever becomes of others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Nobody has given it one yet: behind all others.
    is_new: bool,
    since: Option<Timestamp>,
    name: String,
}

impl Place {
    /// That of a Pipe whose request has this digest: from when it was made, or from when it began again after its
    /// last end.
    pub fn of(pipe: &Pipe, digest: &str) -> Self {
        let again = pipe.status.as_ref().and_then(|status| status.restart_time.as_ref()?.parse().ok());
        let since = again.or_else(|| pipe.creation_timestamp().map(|time| time.0));
        Self { is_new: begins_again(pipe, digest), since, name: pipe.name_any() }
    }

    /// Since when it is held; `None`: nobody knows, or nobody has given it yet.
    pub fn since(&self) -> Option<Timestamp> {
        self.since.filter(|_| !self.is_new)
    }
}

/// The instant that puts a Pipe which begins again at the end of a line whose last one stands there since `last`. Two
/// clocks are involved, so that now may be earlier than that.
pub fn end_of_line(last: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let behind = last.and_then(|last| last.checked_add(SignedDuration::from_nanos(1)).ok());
    behind.map_or(now, |behind| behind.max(now))
}

#[cfg(test)]
mod tests {
    use longshore_crds::conditions;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::build::request_digest;
    use super::super::overlap::{elder, last_in_line};
    use super::*;

    const NOON: &str = "2026-01-01T12:00:00Z";

    fn pipe(name: &str, second: u32, spec: &Value) -> Pipe {
        let created = format!("2026-01-01T12:00:{second:02}Z");
        let mut whole = json!({"table": "t", "autoIngest": false, "source": {"paths": ["s3://b/a/*"]}});
        for (field, value) in spec.as_object().unwrap() {
            whole[field] = value.clone();
        }
        serde_json::from_value(json!({
            "apiVersion": "longshore.dev/v1alpha1", "kind": "Pipe",
            "metadata": {"name": name, "namespace": "n", "uid": name, "creationTimestamp": created},
            "spec": whole,
        }))
        .unwrap()
    }

    fn end(pipe: &mut Pipe) {
        let again = run_again(pipe).map(str::to_owned);
        let digest = request_digest(pipe);
        let status = pipe.status.get_or_insert_default();
        status.state = Some(PipeState::Finished);
        (status.finished_request, status.run_again) = (Some(digest), again);
    }

    /// As the visit does that finds it asked to run once more.
    fn begin_again(pipe: &mut Pipe, others: &[&Pipe], now: Timestamp) {
        let place = end_of_line(last_in_line(pipe, others.iter().copied()), now);
        let status = pipe.status.get_or_insert_default();
        (status.restart_time, status.state) = (Some(place.to_string()), Some(PipeState::Running));
    }

    fn ask(pipe: &mut Pipe, value: &str) {
        pipe.annotations_mut().insert(RUN_AGAIN.to_owned(), value.to_owned());
    }

    #[test]
    fn an_annotation_that_is_new_asks_for_another_run_and_one_that_goes_does_not() {
        let mut one = pipe("a", 0, &json!({}));
        let digest = request_digest(&one);
        assert!(!has_ended(&one, &digest) && !begins_again(&one, &digest));
        end(&mut one);
        assert!(has_ended(&one, &digest) && !begins_again(&one, &digest));
        ask(&mut one, "1");
        assert!(!has_ended(&one, &digest) && begins_again(&one, &digest));
        end(&mut one);
        assert!(has_ended(&one, &digest));
        one.annotations_mut().clear();
        assert!(has_ended(&one, &digest), "Git took it away");
        ask(&mut one, "1");
        assert!(has_ended(&one, &digest), "and brought it back");
        ask(&mut one, "2");
        assert!(begins_again(&one, &digest));
        end(&mut one);
        assert!(begins_again(&one, "another"), "an edit");
        let long = "é".repeat(RUN_AGAIN_BYTES);
        ask(&mut one, &long);
        assert_eq!(run_again(&one).unwrap().len(), RUN_AGAIN_BYTES);
    }

    #[test]
    fn one_that_has_ended_holds_nothing_and_begins_again_behind_the_others() {
        let now: Timestamp = NOON.parse().unwrap();
        for ledger in ["a", "b"] {
            let mut older = pipe("a", 0, &json!({}));
            let younger = pipe("b", 30, &json!({"ledger": ledger, "autoIngest": true}));
            assert!(elder(&younger, [&older]).is_some() && elder(&older, [&younger]).is_none());
            end(&mut older);
            assert!(elder(&younger, [&older]).is_none());
            // Somebody edits it: the one that is at work stays, also while nobody has seen the edit.
            older.spec.batch_files = 7;
            assert!(elder(&younger, [&older]).is_none());
            begin_again(&mut older, &[&younger], now);
            assert!(elder(&younger, [&older]).is_none(), "whatever the operator's clock says");
            let hold = elder(&older, [&younger]).unwrap();
            assert!(hold.message.contains("Pipe b came first"), "{}", hold.message);
            // It goes on when the other one is over, and then is the one that stays.
            let mut over = younger.clone();
            over.spec.auto_ingest = false;
            end(&mut over);
            assert!(elder(&older, [&over]).is_none());
            over.spec.batch_files = 7;
            begin_again(&mut over, &[&older], now);
            assert!(elder(&older, [&over]).is_none() && elder(&over, [&older]).is_some());
        }
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        End(usize),
        Edit(usize),
        Again(usize),
        Visit(usize),
        Continuous(usize, bool),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let one = 0..3_usize;
        let step = prop_oneof![
            2 => one.clone().prop_map(Step::End),
            1 => one.clone().prop_map(Step::Edit),
            1 => one.clone().prop_map(Step::Again),
            4 => one.clone().prop_map(Step::Visit),
            1 => (one, any::<bool>()).prop_map(|(pipe, on)| Step::Continuous(pipe, on)),
        ];
        prop::collection::vec(step, 1..60)
    }

    /// Three Pipes of one ledger. Whoever works is displaced by nobody but those that were made before it and
    /// have never ended.
    struct Line {
        pipes: Vec<Pipe>,
        edits: u32,
    }

    impl Line {
        fn others(&self, of: usize) -> Vec<&Pipe> {
            self.pipes.iter().enumerate().filter(|(index, _)| *index != of).map(|(_, pipe)| pipe).collect()
        }

        fn works(&self, index: usize) -> bool {
            let pipe = &self.pipes[index];
            let digest = request_digest(pipe);
            !has_ended(pipe, &digest)
                && !begins_again(pipe, &digest)
                && elder(pipe, self.others(index)).is_none()
        }

        fn take(&mut self, step: Step) {
            self.edits += 1;
            match step {
                Step::End(index) if self.works(index) && !self.pipes[index].spec.auto_ingest => {
                    end(&mut self.pipes[index]);
                }
                Step::Edit(index) => self.pipes[index].spec.batch_files = self.edits,
                Step::Again(index) => ask(&mut self.pipes[index], &self.edits.to_string()),
                Step::Continuous(index, on) => self.pipes[index].spec.auto_ingest = on,
                Step::Visit(index) => {
                    let mut pipe = self.pipes[index].clone();
                    if begins_again(&pipe, &request_digest(&pipe)) {
                        begin_again(&mut pipe, &self.others(index), NOON.parse().unwrap());
                        self.pipes[index] = pipe;
                    }
                }
                Step::End(_) => {}
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        #[test]
        fn of_pipes_in_each_others_way_one_works_and_goes_on(steps in steps()) {
            let pipes = ["a", "b", "c"].iter().zip(0..).map(|(name, second)| {
                pipe(name, second, &json!({"ledger": "one"}))
            });
            let mut line = Line { pipes: pipes.collect(), edits: 0 };
            for step in steps {
                let before: Vec<usize> = (0..3).filter(|index| line.works(*index)).collect();
                line.take(step);
                let after: Vec<usize> = (0..3).filter(|index| line.works(*index)).collect();
                prop_assert!(after.len() <= 1, "two at once: {after:?}");
                let ended = matches!(step, Step::End(_));
                prop_assert!(ended || before.is_empty() || before == after, "{step:?}: {before:?} {after:?}");
            }
            // Nobody waits for nobody.
            for index in 0..3 {
                line.take(Step::Visit(index));
            }
            let waits = |index: &usize| {
                let pipe = &line.pipes[*index];
                !has_ended(pipe, &request_digest(pipe))
            };
            let waiting = (0..3).filter(waits).count();
            let working = (0..3).filter(|index| line.works(*index)).count();
            prop_assert_eq!(working, waiting.min(1));
        }
    }

    #[test]
    fn the_place_is_no_condition() {
        // What is told of a Pipe, and so whether another is in its way, says nothing about its place.
        let mut one = pipe("a", 0, &json!({}));
        let before = Place::of(&one, &request_digest(&one));
        let status = one.status.get_or_insert_default();
        let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(NOON.parse().unwrap());
        status.set_conditions(&[conditions::STALLED], "LedgerInUse", "", None, &now);
        assert_eq!(Place::of(&one, &request_digest(&one)), before);
    }
}
