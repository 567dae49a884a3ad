//! Random worlds: pods that follow the protocol of the log, a Job controller, nodes that are lost, people who
//! cancel, edit and delete, an operator that dies between any two steps. Whatever happens, no end is said that
//! is not true.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::jiff::Timestamp;
use longshore_crds::{
    LOAD_REPORT_VERSION, LoadCounts, LoadJob, LoadReport, LoadState, LoadTimes, Outcome, exit,
};
use proptest::prelude::*;

use super::super::build::{load_name, resolve_name};
use super::super::facts::{Child, Facts, Hold, JobEnd, JobFacts, PodFacts, TableFacts};
use super::{Action, decide};
use crate::pod::TableRef;
use crate::seen::Exit;

const CLOSED: u32 = u32::MAX;
const GRACE: i64 = 30;

/// What the table's log holds of the label.
#[derive(Debug, Clone, Default)]
struct Log {
    newest: Option<(u32, u32)>,
    loaded: bool,
}

enum Claimed {
    Yes((u32, u32)),
    Loaded,
    Passed(u32),
}

impl Log {
    fn claim(&mut self, run: u32) -> Claimed {
        match self.newest {
            _ if self.loaded => Claimed::Loaded,
            Some((newest, attempt)) if newest > run || (newest == run && attempt == CLOSED) => {
                Claimed::Passed(newest)
            }
            newest => {
                let attempt = newest.filter(|newest| newest.0 == run).map_or(1, |newest| newest.1 + 1);
                self.newest = Some((run, attempt));
                Claimed::Yes((run, attempt))
            }
        }
    }

    fn commit(&mut self, claim: (u32, u32)) -> bool {
        let may = !self.loaded && self.newest == Some(claim);
        self.loaded |= may;
        may
    }
}

#[derive(Debug, Clone)]
struct ModelJob {
    uid: String,
    run: u32,
    resolves: bool,
    /// What its request says.
    dry: bool,
    suspended: bool,
    ended: Option<JobEnd>,
    failures: u32,
    epoch: u32,
}

#[derive(Debug, Clone)]
struct ModelPod {
    uid: String,
    job_uid: String,
    run: u32,
    resolves: bool,
    dry: bool,
    /// The apiserver knows it.
    known: bool,
    /// Its process is over.
    over: bool,
    started: bool,
    claim: Option<(u32, u32)>,
    exit: Option<Exit>,
    gone_by: Option<i64>,
    node_lost: bool,
}

struct World {
    now: i64,
    job: LoadJob,
    jobs: BTreeMap<String, ModelJob>,
    pods: Vec<ModelPod>,
    log: Log,
    epoch: u32,
    table_ready: bool,
    next: u32,
    /// Jobs whose UID the status has held.
    recorded: BTreeSet<String>,
    pod_was_made: bool,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The operator visits, and dies after so many of its writes.
    Visit(u8),
    /// The Job controller does its work.
    Jobs,
    /// A process does its next step, with an outcome.
    Pod(u8, Fate),
    /// The kubelets end what is to end.
    Kubelets,
    LoseNode(u8),
    DeleteJob(u8),
    Cancel(bool),
    Edit,
    /// An edit that makes it a dry run, or no more.
    DryRun(bool),
    Table(bool),
    Time(u8),
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Succeed,
    Transient,
    Final,
    Killed,
    KilledAfterCommit,
    OutOfMemory,
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        4 => Just(Fate::Succeed),
        1 => Just(Fate::Transient),
        1 => Just(Fate::Final),
        1 => Just(Fate::Killed),
        1 => Just(Fate::KilledAfterCommit),
        1 => Just(Fate::OutOfMemory),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => prop_oneof![4 => Just(9), 1 => 0..4u8].prop_map(Step::Visit),
        6 => Just(Step::Jobs),
        8 => (any::<u8>(), fates()).prop_map(|(pod, fate)| Step::Pod(pod, fate)),
        4 => Just(Step::Kubelets),
        1 => any::<u8>().prop_map(Step::LoseNode),
        1 => any::<u8>().prop_map(Step::DeleteJob),
        1 => any::<bool>().prop_map(Step::Cancel),
        1 => Just(Step::Edit),
        1 => any::<bool>().prop_map(Step::DryRun),
        1 => any::<bool>().prop_map(Step::Table),
        3 => (1..100u8).prop_map(Step::Time),
    ]
}

impl World {
    fn new(timeout: u32) -> Self {
        let job: LoadJob = serde_json::from_value(serde_json::json!({
            "apiVersion": "longshore.dev/v1alpha1", "kind": "LoadJob",
            "metadata": {"name": "j", "namespace": "n", "uid": "u", "generation": 1},
            "spec": {"table": "t", "sources": [{"paths": ["s3://b/k"]}], "timeoutSeconds": timeout},
        }))
        .unwrap();
        Self {
            now: 1_700_000_000,
            job,
            jobs: BTreeMap::new(),
            pods: Vec::new(),
            log: Log::default(),
            epoch: 0,
            table_ready: true,
            next: 0,
            recorded: BTreeSet::new(),
            pod_was_made: false,
        }
    }

    fn uid(&mut self) -> String {
        self.next += 1;
        format!("uid-{}", self.next)
    }

    fn state(&self) -> Option<LoadState> {
        self.job.status.as_ref().and_then(|status| status.state)
    }

    /// Whether the run of the status is a dry one.
    fn is_dry(&self) -> bool {
        let execution = self.job.status.as_ref().and_then(|status| status.execution.as_ref());
        execution.is_some_and(|execution| execution.dry_run)
    }

    fn run(&self) -> u32 {
        self.job.status.as_ref().and_then(|status| status.run).unwrap_or(1)
    }

    fn facts(&self) -> Facts {
        let child = |name: &str| match self.jobs.get(name) {
            None => Child::Absent,
            Some(job) => Child::Present(JobFacts {
                name: name.to_owned(),
                uid: job.uid.clone(),
                suspended: job.suspended,
                deleting: false,
                ended: job.ended.clone(),
                refused: None,
                epoch: job.epoch,
                memory_limit: None,
            }),
        };
        let (load, resolve) =
            (child(&load_name(&self.job, self.run())), child(&resolve_name(&self.job, self.run())));
        let execution = self.job.status.as_ref().and_then(|status| status.execution.clone());
        let pods_of = |uids: Vec<String>| {
            let pods = self.pods.iter().filter(|pod| pod.known && uids.contains(&pod.job_uid));
            pods.map(|pod| self.pod_facts(pod)).collect::<Vec<_>>()
        };
        let uid = |child: &Child| child.present().map(|job| job.uid.clone());
        let recorded = execution.and_then(|execution| execution.job_uid);
        let load_pods = pods_of(uid(&load).into_iter().chain(recorded).collect());
        let resolve_pods = pods_of(uid(&resolve).into_iter().collect());
        let volume = TableRef {
            name: "t".to_owned(),
            uid: "t".to_owned(),
            claim: "table-t".to_owned(),
            sub_path: None,
            volume_epoch: self.epoch,
            one_node: true,
            service_accounts: Vec::new(),
        };
        let hold = (!self.table_ready).then(|| Hold::new("TableNotFound", "no table"));
        Facts {
            job: self.job.clone(),
            table: TableFacts { volume: self.table_ready.then_some(volume), hold },
            invalid: None,
            twin: None,
            load,
            resolve,
            load_pods,
            resolve_pods,
            figures: None,
            now: self.time(self.now),
            grace_seconds: GRACE,
        }
    }

    fn time(&self, seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn pod_facts(&self, pod: &ModelPod) -> PodFacts {
        // The apiserver hears nothing from a lost node.
        let heard = !pod.node_lost;
        PodFacts {
            name: pod.uid.clone(),
            uid: pod.uid.clone(),
            node: Some("node".to_owned()),
            address: None,
            ended: pod.over && heard,
            started: pod.started,
            gone_by: pod.gone_by.map(|at| self.time(at)),
            exit: pod.exit.clone().filter(|_| heard),
            ..PodFacts::default()
        }
    }

    fn visit(&mut self, writes: u8) {
        let facts = self.facts();
        let decision = decide(&facts);
        if writes == 0 {
            return;
        }
        self.check_transition(&facts, decision.status.state, decision.status.run.unwrap_or(1));
        self.job.status = Some(decision.status);
        let execution = self.job.status.as_ref().and_then(|status| status.execution.clone());
        self.recorded.extend(execution.and_then(|execution| execution.job_uid));
        for action in decision.actions.iter().take(usize::from(writes - 1)) {
            self.perform(action, &facts);
        }
    }

    /// States move along, or back to PENDING: for a new run, or while no container has begun.
    fn check_transition(&self, facts: &Facts, to: Option<LoadState>, run: u32) {
        use LoadState::{Cancelled, Committed, Finished, Loading, Pending};
        let from = facts.state();
        let may = match (from, to) {
            (None, Some(Pending)) => true,
            (Some(from), Some(to)) if from == to => true,
            (Some(Pending), Some(Loading | Committed | Cancelled)) => true,
            (Some(Loading), Some(Committed | Cancelled)) => true,
            (Some(Loading), Some(Pending)) => {
                run > facts.run() || !facts.load_pods.iter().any(|pod| pod.started)
            }
            (Some(Committed), Some(Finished)) => true,
            (Some(Loading | Pending), Some(Finished)) => facts.execution().dry_run,
            (Some(Finished), Some(Pending)) => facts.execution().dry_run && run > facts.run(),
            (Some(Cancelled), Some(Pending)) => run > facts.run(),
            _ => false,
        };
        assert!(may, "{from:?} of run {} → {to:?} of run {run}", facts.run());
    }

    fn perform(&mut self, action: &Action, facts: &Facts) {
        let run = self.run();
        match action {
            Action::MakeRequest => {}
            Action::MakeLoadJob => self.make(load_name(&self.job, run), run, false),
            Action::MakeResolveJob => self.make(resolve_name(&self.job, run), run, true),
            Action::SuspendLoad => {
                let name = facts.load.present().map(|job| job.name.clone());
                if let Some(job) = name.and_then(|name| self.jobs.get_mut(&name)) {
                    job.suspended = true;
                }
            }
            Action::DeleteLoad => self.delete(facts.load.present().map(|job| job.name.clone())),
            Action::DeleteResolve => self.delete(facts.resolve.present().map(|job| job.name.clone())),
            Action::RaiseEpoch { to } => self.epoch = self.epoch.max(*to),
        }
    }

    fn make(&mut self, name: String, run: u32, resolves: bool) {
        if self.jobs.contains_key(&name) {
            return;
        }
        let uid = self.uid();
        let run_was_recorded = !resolves && self.recorded.contains(&name);
        assert!(!run_was_recorded, "the Job of run {run} is made a second time");
        let (suspended, ended, failures, epoch) = (false, None, 0, self.epoch);
        let dry = !resolves && self.is_dry();
        self.jobs.insert(name, ModelJob { uid, run, resolves, dry, suspended, ended, failures, epoch });
    }

    /// In the background: its pods are told to end.
    fn delete(&mut self, name: Option<String>) {
        let Some(job) = name.clone().and_then(|name| self.jobs.remove(&name)) else { return };
        if self.recorded.contains(&job.uid) {
            self.recorded.extend(name);
        }
        let gone_by = self.now + GRACE;
        for pod in self.pods.iter_mut().filter(|pod| pod.job_uid == job.uid) {
            pod.gone_by.get_or_insert(gone_by);
        }
    }

    fn job_controller(&mut self) {
        let names: Vec<String> = self.jobs.keys().cloned().collect();
        for name in names {
            let mut job = self.jobs[&name].clone();
            self.control(&mut job);
            self.jobs.insert(name, job);
        }
    }

    fn control(&mut self, job: &mut ModelJob) {
        let gone_by = self.now + GRACE;
        let own = |pod: &&mut ModelPod| pod.job_uid == job.uid && pod.known;
        if job.suspended {
            for pod in self.pods.iter_mut().filter(own).filter(|pod| !pod.over) {
                pod.gone_by.get_or_insert(gone_by);
            }
            return;
        }
        if job.ended.is_some() {
            return;
        }
        let pods: Vec<&ModelPod> =
            self.pods.iter().filter(|pod| pod.job_uid == job.uid && pod.known).collect();
        if pods.iter().any(|pod| !pod.over || pod.node_lost) {
            return;
        }
        let codes: Vec<i32> = pods.iter().filter_map(|pod| pod.exit.as_ref()).map(|exit| exit.code).collect();
        let failed = || Some(JobEnd::Failed { message: "no more pods".to_owned() });
        job.failures =
            u32::try_from(codes.iter().filter(|code| **code != 0 && **code != 80).count()).unwrap();
        if codes.contains(&0) {
            job.ended = Some(JobEnd::Complete);
        } else if codes.iter().any(|code| (64..=69).contains(code)) || job.failures > 4 {
            job.ended = failed();
        } else {
            let uid = self.uid();
            self.pod_was_made = true;
            self.pods.push(ModelPod {
                uid,
                job_uid: job.uid.clone(),
                run: job.run,
                resolves: job.resolves,
                dry: job.dry,
                known: true,
                over: false,
                started: false,
                claim: None,
                exit: None,
                gone_by: None,
                node_lost: false,
            });
        }
    }

    fn kubelets(&mut self) {
        for pod in self.pods.iter_mut().filter(|pod| pod.gone_by.is_some() && !pod.node_lost) {
            pod.over = true;
            pod.known = false;
        }
    }

    fn pod(&mut self, index: u8, fate: Fate) {
        let running: Vec<usize> = (0..self.pods.len()).filter(|index| !self.pods[*index].over).collect();
        if running.is_empty() {
            return;
        }
        let index = running[usize::from(index) % running.len()];
        let mut pod = self.pods[index].clone();
        if !pod.started {
            pod.started = true;
        } else if pod.resolves {
            self.resolve(&mut pod, fate);
        } else if pod.dry {
            self.look(&mut pod, fate);
        } else if let Some(claim) = pod.claim {
            self.load(&mut pod, claim, fate);
        } else {
            match self.log.claim(pod.run) {
                Claimed::Yes(claim) => pod.claim = Some(claim),
                Claimed::Loaded => self.end(&mut pod, 0, Some((Outcome::AlreadyLoaded, false, None))),
                Claimed::Passed(run) => self.end(&mut pod, 67, Some((Outcome::Failed, false, Some(run)))),
            }
        }
        self.pods[index] = pod;
    }

    /// A dry run: whatever it finds, the log stays as it is.
    fn look(&mut self, pod: &mut ModelPod, fate: Fate) {
        match fate {
            Fate::Succeed | Fate::Final => self.end(pod, 0, Some((Outcome::DryRun, false, None))),
            Fate::Transient => self.end(pod, 70, Some((Outcome::Failed, false, None))),
            Fate::Killed | Fate::KilledAfterCommit | Fate::OutOfMemory => self.end(pod, 137, None),
        }
    }

    fn load(&mut self, pod: &mut ModelPod, claim: (u32, u32), fate: Fate) {
        match fate {
            Fate::Succeed => {
                if self.log.commit(claim) {
                    self.end(pod, 0, Some((Outcome::Loaded, false, None)));
                } else if self.log.loaded {
                    self.end(pod, 0, Some((Outcome::AlreadyLoaded, false, None)));
                } else {
                    self.end(pod, 67, Some((Outcome::Failed, false, None)));
                }
            }
            Fate::Transient => self.end(pod, 70, Some((Outcome::Failed, false, None))),
            Fate::Final if !self.log.loaded && self.log.newest == Some(claim) => {
                self.log.newest = Some((claim.0, CLOSED));
                self.end(pod, 65, Some((Outcome::Failed, true, None)));
            }
            Fate::Final => self.end(pod, 67, Some((Outcome::Failed, false, None))),
            Fate::Killed => self.end(pod, 137, None),
            Fate::KilledAfterCommit => {
                self.log.commit(claim);
                self.end(pod, 137, None);
            }
            Fate::OutOfMemory => {
                self.end(pod, 137, None);
                pod.exit.as_mut().unwrap().out_of_memory = true;
            }
        }
    }

    fn resolve(&mut self, pod: &mut ModelPod, fate: Fate) {
        match fate {
            Fate::Transient | Fate::OutOfMemory => {
                return self.end(pod, 70, Some((Outcome::Unknown, false, None)));
            }
            Fate::Killed => return self.end(pod, 137, None),
            Fate::Succeed | Fate::Final | Fate::KilledAfterCommit => {}
        }
        let answer = match self.log.newest {
            _ if self.log.loaded => (0, (Outcome::AlreadyLoaded, false, None)),
            Some((newest, _)) if newest > pod.run => (67, (Outcome::Failed, false, Some(newest))),
            _ => {
                self.log.newest = Some((pod.run, CLOSED));
                (0, (Outcome::Failed, true, None))
            }
        };
        let killed = matches!(fate, Fate::KilledAfterCommit);
        self.end(pod, if killed { 137 } else { answer.0 }, (!killed).then_some(answer.1));
    }

    fn end(&mut self, pod: &mut ModelPod, code: i32, said: Option<(Outcome, bool, Option<u32>)>) {
        pod.over = true;
        let message = said.map(|(outcome, closed, newest_run)| {
            let attempt = pod.claim.map_or(0, |claim| claim.1);
            report(pod.run, attempt, outcome, closed, newest_run, code)
        });
        pod.exit = Some(Exit { code, out_of_memory: false, message: message.unwrap_or_default() });
    }

    /// A node stops answering: its pods are told to end, and nobody hears from them. Their processes go on.
    fn lose_node(&mut self, index: u8) {
        let running: Vec<usize> =
            (0..self.pods.len()).filter(|index| self.pods[*index].known && !self.pods[*index].over).collect();
        if running.is_empty() {
            return;
        }
        let pod = &mut self.pods[running[usize::from(index) % running.len()]];
        pod.node_lost = true;
        pod.gone_by.get_or_insert(self.now + GRACE);
    }

    fn edit(&mut self) {
        use LoadState::{Committed, Finished, Loading};
        let locked = matches!(self.state(), Some(Loading | Committed | Finished));
        if locked && self.job.spec.dry_run.is_none() {
            return;
        }
        self.bump();
    }

    fn set_dry_run(&mut self, dry: bool) {
        if self.job.spec.dry_run.is_some() == dry {
            return;
        }
        let before = self.job.metadata.generation;
        self.edit();
        if self.job.metadata.generation != before {
            self.job.spec.dry_run = dry.then(longshore_crds::DryRun::default);
        }
    }

    fn bump(&mut self) {
        let generation = self.job.metadata.generation.unwrap_or(1);
        self.job.metadata.generation = Some(generation + 1);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Visit(writes) => self.visit(writes),
            Step::Jobs => self.job_controller(),
            Step::Pod(index, fate) => self.pod(index, fate),
            Step::Kubelets => self.kubelets(),
            Step::LoseNode(index) => self.lose_node(index),
            Step::DeleteJob(index) => {
                let name = self.jobs.keys().nth(usize::from(index) % self.jobs.len().max(1)).cloned();
                self.delete(name);
            }
            Step::Cancel(cancel) => {
                if self.job.spec.cancel != cancel {
                    self.job.spec.cancel = cancel;
                    self.bump();
                }
            }
            Step::Edit => self.edit(),
            Step::DryRun(dry) => self.set_dry_run(dry),
            Step::Table(ready) => self.table_ready = ready,
            Step::Time(seconds) => self.now += i64::from(seconds),
        }
        self.check();
    }

    /// What is said is true.
    fn check(&self) {
        match self.state() {
            // What is said of a dry run is none of the log's.
            Some(LoadState::Finished | LoadState::Cancelled) if self.is_dry() => {}
            Some(LoadState::Finished | LoadState::Committed) => assert!(self.log.loaded, "not in the log"),
            Some(LoadState::Cancelled) => {
                assert!(!self.log.loaded, "CANCELLED, and the rows are there");
                let may_load =
                    self.pods.iter().any(|pod| !pod.over && !pod.resolves && !pod.dry && self.may_load(pod));
                assert!(!may_load, "CANCELLED, and a pod may still load");
            }
            _ => {}
        }
    }

    fn may_load(&self, pod: &ModelPod) -> bool {
        match (self.log.newest, pod.claim) {
            (newest, Some(claim)) => newest == Some(claim),
            (None, None) => true,
            (Some((run, attempt)), None) => run < pod.run || (run == pod.run && attempt != CLOSED),
        }
    }
}

fn report(
    run: u32,
    attempt: u32,
    outcome: Outcome,
    closed: bool,
    newest_run: Option<u32>,
    code: i32,
) -> String {
    let report = LoadReport {
        version: LOAD_REPORT_VERSION,
        label: "j".to_owned(),
        run,
        attempt,
        outcome,
        exit_code: u8::try_from(code).unwrap_or(exit::TRANSIENT),
        reason: "Reason".to_owned(),
        message: "message".to_owned(),
        counts: LoadCounts::default(),
        closed,
        newest_run,
        table_version: None,
        rejected_record_path: None,
        first_errors: Vec::new(),
        skipped_files: Vec::new(),
        dry_run: None,
        times: LoadTimes::default(),
        report_path: None,
        truncated: false,
    };
    report.termination_message().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_end_is_said_that_is_not_true(
        steps in proptest::collection::vec(steps(), 1..200),
        timeout in prop_oneof![Just(14_400u32), 1..400u32],
    ) {
        let mut world = World::new(timeout);
        for step in steps {
            world.step(step);
        }
    }

    /// Left alone, whatever happened before, every load comes to an end.
    #[test]
    fn left_alone_it_ends(steps in proptest::collection::vec(steps(), 1..120)) {
        let mut world = World::new(14_400);
        for step in steps {
            world.step(step);
        }
        world.table_ready = true;
        for _ in 0..400 {
            for step in [Step::Visit(9), Step::Jobs, Step::Kubelets, Step::Time(5)] {
                world.step(step);
            }
            for index in 0..4 {
                world.step(Step::Pod(index, Fate::Succeed));
            }
        }
        let cancelled = world.job.spec.cancel;
        let ended = matches!(world.state(), Some(LoadState::Finished | LoadState::Cancelled));
        prop_assert!(ended, "{:?} {:#?}", cancelled, world.job.status);
    }

    /// A load that nothing happens to is loaded in its first run.
    #[test]
    fn undisturbed_it_loads_in_one_run(order in Just(vec![0, 1, 2, 3]).prop_shuffle()) {
        let mut world = World::new(14_400);
        for _ in 0..40 {
            for turn in &order {
                world.step([Step::Visit(9), Step::Jobs, Step::Pod(0, Fate::Succeed), Step::Time(1)][*turn]);
            }
        }
        prop_assert_eq!(world.state(), Some(LoadState::Finished));
        prop_assert_eq!((world.run(), world.jobs.len()), (1, 0));
    }
}
