//! kubectl as a process of its own: it knows the cluster, the context and the credentials.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::args::Cluster;

/// Names another program than the `kubectl` of the path.
const PROGRAM: &str = "LONGSHORE_KUBECTL";

/// Calls kubectl, each time with the flags that say which cluster.
#[derive(Debug)]
pub struct Kubectl {
    program: String,
    flags: Vec<String>,
}

#[derive(Deserialize)]
struct List<T> {
    items: Vec<T>,
}

impl Kubectl {
    /// kubectl for this cluster and namespace.
    pub fn new(cluster: &Cluster) -> Self {
        let flags = [
            ("namespace", &cluster.namespace),
            ("context", &cluster.context),
            ("kubeconfig", &cluster.kubeconfig),
        ];
        let flags =
            flags.into_iter().filter_map(|(name, value)| Some(format!("--{name}={}", value.as_ref()?)));
        let program = std::env::var(PROGRAM).unwrap_or_else(|_| "kubectl".to_owned());
        Self { program, flags: flags.collect() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.flags).args(arguments).stdin(Stdio::null());
        command
    }

    /// What a call prints.
    ///
    /// # Errors
    /// kubectl is not there, or ends with an error: what it said.
    pub fn output(&self, arguments: &[&str], input: Option<&[u8]>) -> anyhow::Result<Vec<u8>> {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().with_context(|| format!("cannot start {}", self.program))?;
        if let (Some(input), Some(mut stdin)) = (input, child.stdin.take()) {
            stdin.write_all(input)?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{} {}: {}", self.program, arguments.join(" "), said.trim());
        }
        Ok(output.stdout)
    }

    /// One object.
    pub fn get<T: DeserializeOwned>(&self, what: &[&str]) -> anyhow::Result<T> {
        let arguments = [&["get"], what, &["-o", "json"]].concat();
        let text = self.output(&arguments, None)?;
        serde_json::from_slice(&text).with_context(|| format!("{} {}", self.program, arguments.join(" ")))
    }

    /// All that there are.
    pub fn list<T: DeserializeOwned>(&self, what: &[&str]) -> anyhow::Result<Vec<T>> {
        Ok(self.get::<List<T>>(what)?.items)
    }

    /// Copies what a call prints to `out` as it comes; the number of bytes.
    pub fn stream(&self, arguments: &[&str], out: &mut dyn Write) -> anyhow::Result<u64> {
        let mut command = self.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut copied = 0;
        if let Some(mut printed) = child.stdout.take() {
            copied = std::io::copy(&mut printed, out)?;
        }
        let mut said = String::new();
        if let Some(mut errors) = child.stderr.take() {
            errors.read_to_string(&mut said)?;
        }
        if !child.wait()?.success() {
            bail!("{} {}: {}", self.program, arguments.join(" "), said.trim());
        }
        Ok(copied)
    }
}
