//! Random worlds: a Deployment and a Job controller, kubelets, nodes that are lost, people who edit, suspend and delete,
//! another Pipe that comes and goes, a Table that comes and goes. Whatever happens, no end is said that is not true, no two
//! workers are asked for at once, and once the world is calm the pipe is at work or over.

use kube::ResourceExt;
use longshore_crds::{PipeState, RUN_AGAIN, conditions, reasons};
use proptest::prelude::*;
use serde_json::json;

use super::decide::Action;
use super::facts::Kind;
use super::tests::{World, progress};
use crate::holds::Hold;
use crate::seen::{Exit, JobEnd, PodFacts};

#[derive(Debug, Clone, Copy)]
enum Step {
    Visit,
    /// The controllers of Deployments and Jobs, and the kubelets, do their work.
    Cluster,
    /// The worker runs to its end, if it has one.
    End {
        code: u8,
    },
    Suspend(bool),
    AutoIngest(bool),
    Edit(u8),
    RunAgain(u8),
    Elder(bool),
    Table(bool),
    LoseNode,
    Time(u8),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => Just(Step::Visit),
        10 => Just(Step::Cluster),
        3 => prop_oneof![Just(0), Just(65), Just(70), Just(137)].prop_map(|code| Step::End { code }),
        2 => any::<bool>().prop_map(Step::Suspend),
        1 => any::<bool>().prop_map(Step::AutoIngest),
        2 => (1..4_u8).prop_map(Step::Edit),
        1 => (1..4_u8).prop_map(Step::RunAgain),
        1 => any::<bool>().prop_map(Step::Elder),
        1 => any::<bool>().prop_map(Step::Table),
        1 => Just(Step::LoseNode),
        2 => any::<u8>().prop_map(Step::Time),
    ]
}

/// The world with what the cluster keeps beside it.
struct Model {
    world: World,
    /// Names of Jobs, or digests of Deployments, that the pods were made from.
    made_from: Vec<String>,
    lost: bool,
    pods_made: u32,
    /// An outcome that a worker has told.
    told_end: bool,
}

impl Model {
    fn new() -> Self {
        let world = World::new(json!({}));
        Self { world, made_from: Vec::new(), lost: false, pods_made: 0, told_end: false }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Visit => self.visit(),
            Step::Cluster => self.cluster(),
            Step::End { code } => self.end(i32::from(code)),
            Step::Suspend(on) => self.world.edit(|pipe| pipe.spec.suspend = on),
            Step::AutoIngest(on) => self.world.edit(|pipe| pipe.spec.auto_ingest = on),
            Step::Edit(files) => self.world.edit(|pipe| pipe.spec.batch_files = files.into()),
            Step::RunAgain(value) => {
                let annotations = self.world.facts.pipe.annotations_mut();
                annotations.insert(RUN_AGAIN.to_owned(), value.to_string());
            }
            Step::Elder(on) => {
                let before = self.world.facts.elder.take();
                self.world.facts.elder = on.then(|| Hold::new(reasons::LEDGER_IN_USE, "Pipe q is older"));
                if before.is_some() && !on {
                    // Its pod outlives it.
                    self.world.facts.leaving = vec![PodFacts { epoch: u32::MAX, ..PodFacts::default() }];
                }
            }
            Step::Table(on) => self.world.has_table(on),
            Step::LoseNode => {
                if let Some(pod) = self.world.facts.pods.last_mut().filter(|pod| !pod.ended) {
                    pod.gone_by.get_or_insert(self.world.facts.now);
                    self.lost = true;
                }
            }
            Step::Time(seconds) => self.world.pass(seconds.into()),
        }
    }

    fn visit(&mut self) {
        let own = |pod: &&PodFacts| self.world.facts.wanted.as_ref().is_some_and(|wanted| wanted.owns(pod));
        let current =
            self.world.facts.pods.iter().filter(own).find(|pod| pod.running && pod.gone_by.is_none());
        let answer = current.map(|_| progress(&self.world.facts.pipe, |_| {}));
        self.world.facts.progress = answer;
        let before = self.world.facts.clone();
        let decision = self.world.visit();
        let status = &decision.status;
        let remaining: Vec<_> = before.pods.iter().filter(|pod| !pod.ended).collect();
        if status.state == Some(PipeState::Suspended) {
            assert!(remaining.is_empty(), "suspended with pods: {remaining:?}");
        }
        if matches!(status.state, Some(PipeState::Finished | PipeState::Error)) {
            assert!(self.told_end, "nobody told an end");
        }
        let begins = decision.actions.iter().any(|it| matches!(it, Action::MakeJob))
            || decision.actions.contains(&Action::ApplyDeployment) && before.child().is_none();
        let epoch = before.table.volume.as_ref().map_or(0, |volume| volume.volume_epoch);
        if begins {
            assert!(before.leaving.is_empty(), "another Pipe's pod is still there");
            assert!(before.elder.is_none() && before.has_table && !before.pipe.spec.suspend);
            let current: Vec<_> = remaining.iter().filter(|pod| pod.epoch >= epoch).collect();
            assert!(current.is_empty(), "two workers at once: {current:?}");
        }
        let kinds = |kind: Kind| {
            decision.actions.iter().any(|it| matches!(it, Action::Delete { kind: of, .. } if *of == kind))
        };
        assert!(
            !(kinds(Kind::Deployment)
                && decision.actions.contains(&Action::ApplyDeployment)
                && before.child().is_some())
        );
        let (ready, stalled, reconciling) = (
            conditions::is_true(&status.conditions, conditions::READY),
            conditions::is_true(&status.conditions, conditions::STALLED),
            conditions::is_true(&status.conditions, conditions::RECONCILING),
        );
        assert!(!(reconciling && (stalled || ready)), "{:?}", status.conditions);
    }

    /// What the controllers and kubelets do in a moment.
    fn cluster(&mut self) {
        let world = &mut self.world;
        world.facts.leaving.clear();
        let (now, children) = (world.facts.now, world.facts.children.clone());
        let is_kept = |pod: &PodFacts, from: &String| {
            children.iter().any(|child| match child.kind {
                Kind::Job => pod.owner == child.name,
                Kind::Deployment => {
                    pod.owner.starts_with(&child.name) && child.replicas > 0 && child.digest == *from
                }
            })
        };
        let mut left = Vec::new();
        for (mut pod, from) in world.facts.pods.drain(..).zip(self.made_from.drain(..)) {
            let is_lost = self.lost && pod.gone_by.is_some() && !pod.ended;
            if !is_kept(&pod, &from) || pod.gone_by.is_some() {
                if !is_lost {
                    continue;
                }
                pod.gone_by.get_or_insert(now);
            }
            pod.running = pod.started && !pod.ended && pod.gone_by.is_none();
            pod.started = true;
            left.push((pod, from));
        }
        (world.facts.pods, self.made_from) = left.into_iter().unzip();
        world.settle(&world.facts.pods.clone());
        for child in &children {
            let has_pod = world.facts.pods.iter().any(|pod| {
                pod.owner.starts_with(&child.name)
                    && (child.kind == Kind::Deployment || !pod.ended || child.ended.is_some())
            });
            let wants = child.replicas > 0 && child.ended != Some(JobEnd::Complete) && !child.deleting;
            if wants && !has_pod && child.ended.is_none() {
                self.pods_made += 1;
                let epoch = world.facts.table.volume.as_ref().map_or(0, |volume| volume.volume_epoch);
                let name = format!("pod-{}", self.pods_made);
                let owner = match child.kind {
                    Kind::Job => child.name.clone(),
                    Kind::Deployment => format!("{}-1", child.name),
                };
                let node = Some("node".to_owned());
                let pod = PodFacts { uid: name.clone(), name, node, owner, epoch, ..PodFacts::default() };
                world.facts.pods.push(pod);
                self.made_from.push(child.digest.clone());
            }
        }
    }

    /// The worker of a Job ends, and so does the Job.
    fn end(&mut self, code: i32) {
        let Some(name) = self.world.job_name() else { return };
        let state = if code == 0 { PipeState::Finished } else { PipeState::Error };
        let told = matches!(code, 0 | 65).then(|| progress(&self.world.facts.pipe, |it| it.state = state));
        let message = told.as_ref().map_or_else(String::new, |told| told.message(4_000).unwrap());
        let runs = |pod: &&mut PodFacts| pod.owner == name && pod.running && pod.gone_by.is_none();
        let Some(pod) = self.world.facts.pods.iter_mut().find(runs) else { return };
        (pod.ended, pod.running) = (true, false);
        pod.exit = Some(Exit { code, message, out_of_memory: false });
        self.told_end |= told.is_some();
        self.world.over(if code == 0 { "Complete" } else { "Failed" });
    }

    /// Nothing more happens but what follows by itself.
    fn calm_down(&mut self) {
        self.lost = false;
        self.world.facts.elder = None;
        self.world.has_table(true);
        self.world.edit(|pipe| pipe.spec.suspend = false);
        for _ in 0..12 {
            self.world.pass(200);
            self.visit();
            self.cluster();
        }
        let status = self.world.facts.status();
        let over = matches!(status.state, Some(PipeState::Finished | PipeState::Error));
        let ready = conditions::is_true(&status.conditions, conditions::READY);
        assert!(over || ready, "it does not come to work: {status:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn in_any_world_no_end_is_said_that_is_not_true_and_work_goes_on(steps in prop::collection::vec(steps(), 1..60)) {
        let mut model = Model::new();
        for step in steps {
            model.take(step);
        }
        model.calm_down();
    }
}
