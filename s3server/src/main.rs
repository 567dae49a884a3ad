//! `longshore-s3server`: the server as a process of its own, for the demo.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use longshore_s3server::{Fault, Server};

/// An S3 server on a folder, for demos and tests. Folders in the data folder are buckets; files in
/// those are served by their relative path.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example:\n  longshore-s3server --data-dir ./s3 --listen 127.0.0.1:9000 \
    --access-key-id demo --secret-access-key-file ./secret --bucket examples"
)]
struct Arguments {
    /// Folder for all data; made if absent.
    #[arg(long)]
    data_dir: PathBuf,
    /// Address to listen on; port 0 takes any free port.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// Access key that requests must be signed with.
    #[arg(long, env = "AWS_ACCESS_KEY_ID")]
    access_key_id: Option<String>,
    /// File with the secret key; without it, the environment's AWS_SECRET_ACCESS_KEY.
    #[arg(long)]
    secret_access_key_file: Option<PathBuf>,
    /// File to write the endpoint to once the server listens.
    #[arg(long)]
    ready_file: Option<PathBuf>,
    /// Bucket to make at the start; may be given several times.
    #[arg(long = "bucket")]
    buckets: Vec<String>,
    /// Bucket that unsigned requests may read; made if absent. May be given several times.
    #[arg(long = "anonymous-bucket")]
    anonymous_buckets: Vec<String>,
    /// Role for AssumeRole: ARN, or ARN=EXTERNAL-ID. May be given several times.
    #[arg(long = "role")]
    roles: Vec<String>,
    /// Fault as JSON, such as '{"kind": "SlowDown", "operation": "GetObject", "rate": 0.1}'. May be
    /// given several times; more can come later by POST to /-/faults.
    #[arg(long = "fault")]
    faults: Vec<String>,
    /// Seed of the random numbers of faults with a rate.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "off".into()),
        )
        .with_writer(std::io::stderr)
        .init();
    let arguments = Arguments::parse();
    let ready_file = arguments.ready_file.clone();
    let mut interrupt = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;

    let server = builder(arguments)?.start().await?;
    println!("listening on {}", server.endpoint());
    if let Some(path) = &ready_file {
        announce(path, &server.endpoint())?;
    }
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    server.shutdown().await;
    Ok(())
}

fn builder(arguments: Arguments) -> anyhow::Result<longshore_s3server::Builder> {
    let mut builder =
        Server::builder().data_dir(&arguments.data_dir).bind(&arguments.listen).seed(arguments.seed);
    if let Some(access_key) = &arguments.access_key_id {
        builder = builder.credentials(access_key, &secret(arguments.secret_access_key_file.as_deref())?);
    }
    for bucket in arguments.buckets {
        builder = builder.bucket(bucket);
    }
    for bucket in &arguments.anonymous_buckets {
        builder = builder.anonymous_bucket(bucket);
    }
    for role in &arguments.roles {
        let (arn, external_id) =
            role.split_once('=').map_or((role.as_str(), None), |(arn, id)| (arn, Some(id)));
        builder = builder.role(arn, external_id);
    }
    for fault in &arguments.faults {
        let fault: Fault =
            serde_json::from_str(fault).with_context(|| format!("cannot read the fault {fault}"))?;
        builder = builder.fault(fault);
    }
    Ok(builder)
}

fn secret(file: Option<&Path>) -> anyhow::Result<String> {
    let Some(file) = file else {
        return std::env::var("AWS_SECRET_ACCESS_KEY")
            .context("no secret key: give --secret-access-key-file or set AWS_SECRET_ACCESS_KEY");
    };
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text.trim_end().to_owned())
}

/// Writes the endpoint so that a reader sees the whole file or none.
fn announce(path: &Path, endpoint: &str) -> anyhow::Result<()> {
    let temporary = path.with_extension("part");
    std::fs::write(&temporary, endpoint)
        .and_then(|()| std::fs::rename(&temporary, path))
        .with_context(|| format!("cannot write {}", path.display()))
}
