//! `kubectl longshore`: this program as a plugin of kubectl. What a table's volume knows is read by a short pod with
//! that volume, which runs the code of the command line; kubectl itself talks to the cluster.

mod answer;
mod args;
mod client;
mod image;
mod pod;

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;
use kube::ResourceExt;
use longshore_crds::{Pipe, RUN_AGAIN, Table};
use tokio::runtime::Runtime;

use crate::apply::Ended;
use crate::cancelled_by_signals;
use crate::objects::now;
use crate::pipe::{PipeCommand, RetryArgs, WhyArgs, check_file, matches, unknown};

use answer::Pods;
use args::{Plugin, PluginCommand};
use client::Kubectl;
use image::Workload;
use pod::AskPod;

/// Whether the program was called as a plugin of kubectl.
pub fn is_plugin(called: Option<&OsStr>) -> bool {
    let name = called.and_then(|called| Path::new(called).file_name()?.to_str());
    name.is_some_and(|name| name == "kubectl-longshore")
}

/// Reads the arguments of the plugin, and runs it.
pub fn run() -> anyhow::Result<Ended> {
    let plugin = Plugin::parse();
    let runtime = Runtime::new()?;
    let session = Session {
        kubectl: Kubectl::new(&plugin.cluster),
        image: plugin.image.clone(),
        timeout: Duration::from_secs(plugin.timeout),
        cancel: cancelled_by_signals(&runtime)?,
    };
    let PluginCommand::Pipe(args) = &plugin.command;
    match &args.command {
        PipeCommand::Files(args) => {
            let arguments = std::iter::once("files".to_owned()).chain(args.options.arguments());
            session.ask_one(&args.pipe.name, arguments.collect())
        }
        PipeCommand::Retry(args) => session.retry(args),
        PipeCommand::RebuildLedger(args) => session.ask_one(&args.name, vec!["rebuild-ledger".to_owned()]),
        PipeCommand::Why(args) => session.why(args),
    }
}

/// One call of the plugin.
struct Session {
    kubectl: Kubectl,
    image: Option<String>,
    timeout: Duration,
    cancel: tokio_util::sync::CancellationToken,
}

impl Session {
    fn pipe(&self, name: &str) -> anyhow::Result<Pipe> {
        self.kubectl.get(&["pipes.longshore.dev", name])
    }

    fn ask_one(&self, name: &str, question: Vec<String>) -> anyhow::Result<Ended> {
        self.ask(&self.pipe(name)?, question)?;
        Ok(Ended::Done)
    }

    /// Puts files back. A pipe that lists once may have ended: it runs once more.
    fn retry(&self, args: &RetryArgs) -> anyhow::Result<Ended> {
        let pipe = self.pipe(&args.pipe.name)?;
        let file = args.file.iter().map(|file| format!("--file={file}"));
        self.ask(&pipe, std::iter::once("retry".to_owned()).chain(file).collect())?;
        if !pipe.spec.auto_ingest {
            let again = format!("{RUN_AGAIN}={}", now().0);
            let annotate = ["annotate", "pipes.longshore.dev", &args.pipe.name, &again, "--overwrite"];
            self.kubectl.output(&annotate, None).context("the files are put back; nothing loads them yet")?;
            eprintln!("pipe {} runs once more", args.pipe.name);
        }
        Ok(Ended::Done)
    }

    /// What became of a file: by every pipe whose source matches it, or by the one that is named.
    fn why(&self, args: &WhyArgs) -> anyhow::Result<Ended> {
        check_file(&args.file)?;
        let pipes = match &args.pipe {
            Some(name) => vec![self.pipe(name)?],
            None => self.kubectl.list(&["pipes.longshore.dev"])?,
        };
        let mut answered = 0;
        for pipe in pipes.iter().filter(|pipe| args.pipe.is_some() || matches(pipe, &args.file)) {
            answered += self.ask(pipe, vec!["why".to_owned(), args.file.clone()])?;
        }
        if answered == 0 {
            let reasons: Vec<String> = pipes.iter().map(|pipe| unknown(pipe, &args.file)).collect();
            bail!("no pipe of this namespace knows {}\n{}", args.file, reasons.join("\n"));
        }
        Ok(Ended::Done)
    }

    /// Prints the answer of a pod with the table's volume; its bytes.
    fn ask(&self, pipe: &Pipe, question: Vec<String>) -> anyhow::Result<u64> {
        let name = pipe.name_any();
        let table: Table = self
            .kubectl
            .get(&["tables.longshore.dev", &pipe.spec.table])
            .with_context(|| format!("spec.table of Pipe {name}"))?;
        let workload = Workload::find(&self.kubectl, &pipe.spec.table, self.image.as_deref())?;
        let mut arguments: Vec<String> =
            ["ask", "--pipe", &name, "--ledger", &pipe.ledger()].map(str::to_owned).into();
        arguments.extend(question);
        let pod = AskPod { name: &name, table: &table, workload: &workload, arguments }.build()?;
        Pods { kubectl: &self.kubectl, timeout: self.timeout, cancel: &self.cancel }.answer(&pod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_a_plugin_by_its_name() {
        for (called, expected) in [
            ("kubectl-longshore", true),
            ("/usr/local/bin/kubectl-longshore", true),
            ("longshore", false),
            ("/kubectl-longshore/longshore", false),
        ] {
            assert_eq!(is_plugin(Some(OsStr::new(called))), expected, "{called}");
        }
        assert!(!is_plugin(None));
    }
}
