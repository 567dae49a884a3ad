//! kubectl, as a user calls it.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// What kubectl answered.
#[derive(Debug, Clone)]
pub struct Output {
    /// Whether it ended with 0.
    pub success: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error: warnings and refusals.
    pub stderr: String,
}

/// Runs kubectl with this standard input; an error unless it ends with 0. Gives standard output.
pub async fn kubectl(arguments: &[&str], input: &str) -> Result<String> {
    let output = kubectl_output(arguments, input).await?;
    if !output.success {
        bail!("kubectl {}: {}", arguments.join(" "), output.stderr);
    }
    Ok(output.stdout)
}

/// Runs kubectl with this standard input; how it ended is the caller's to judge.
pub async fn kubectl_output(arguments: &[&str], input: &str) -> Result<Output> {
    let mut child = Command::new("kubectl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("kubectl cannot be started: is it in PATH?")?;
    if let Some(mut stdin) = child.stdin.take()
        && let Err(error) = stdin.write_all(input.as_bytes()).await
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        return Err(error).context("kubectl's standard input");
    }
    let output = child.wait_with_output().await?;
    Ok(Output {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}
