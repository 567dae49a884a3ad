//! `longshore-operator`: reconciles Tables, LoadJobs and Pipes.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Parser;
use longshore_operator::args::{Args, LogFormat};
use longshore_operator::config::Config;
use longshore_operator::context::Context;
use longshore_operator::events::Publisher;
use longshore_operator::health::{self, Readiness};
use longshore_operator::leader::{Elector, Leadership};
use longshore_operator::metrics::Metrics;
use longshore_operator::{client, controllers};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let args = Args::parse();
    logging(args.log_format);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        kubernetes = "1.33 and newer",
        api = longshore_crds::API_VERSION,
        "longshore-operator"
    );
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the runtime");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(run(args));
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "ended");
            ExitCode::FAILURE
        }
    }
}

fn logging(format: LogFormat) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LONGSHORE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => logs.json().init(),
        LogFormat::Text => logs.init(),
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let config = configure(&args)?;
    let metrics = Metrics::new()?;
    let readiness = Readiness::default();
    let stop = stop_on_signals()?;
    let served = CancellationToken::new();
    let address = health::serve(args.listen, readiness.clone(), metrics.clone(), served.clone()).await;
    let address =
        address.with_context(|| format!("cannot listen on {}; choose another --listen", args.listen))?;
    tracing::info!(%address, "serving /healthz, /readyz and /metrics");

    let (client, default_namespace) =
        client::connect(&metrics).await.context("there is no way to the apiserver")?;
    let namespace = args.namespace.clone().unwrap_or(default_namespace);
    let pod = args.pod_name.clone().unwrap_or_else(|| format!("pid-{}", std::process::id()));
    let release = CancellationToken::new();
    let (leader, lease) = lead(&args, &client, &namespace, &pod, &release);
    follow(&leader, &metrics);
    let events = Publisher::new(client.clone(), &pod);
    let context = Arc::new(Context { client, config, events, metrics, leader });
    let mut work = tokio::spawn(controllers::run(context, readiness, stop.clone()));

    let ended = until_stopped(&stop, lease, &mut work).await;
    stop.cancel();
    // What is in flight ends, then the Lease is given back: the next one never works beside us.
    let patience = Duration::from_secs(args.shutdown_seconds);
    if !work.is_finished() && tokio::time::timeout(patience, work).await.is_err() {
        tracing::warn!(seconds = args.shutdown_seconds, "some reconciles did not end in time");
    }
    release.cancel();
    let ended = match ended {
        Ok(lease) => lease.await.context("the lease task ended badly"),
        Err(error) => Err(error),
    };
    served.cancel();
    ended
}

/// Reads the flags, and the file that one of them may name.
fn configure(args: &Args) -> anyhow::Result<Config> {
    let config = Config::from_args(args)?;
    // An empty variable names no file.
    let Some(path) = args.worker_pod_template.as_ref().filter(|path| !path.as_os_str().is_empty()) else {
        return Ok(config);
    };
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("--worker-pod-template: {} cannot be read", path.display()))?;
    Ok(config.with_pod_template(&text)?)
}

/// Contends for the Lease, if there is to be one.
fn lead(
    args: &Args,
    client: &kube::Client,
    namespace: &str,
    pod: &str,
    release: &CancellationToken,
) -> (Leadership, JoinHandle<()>) {
    if args.no_lease {
        let release = release.clone();
        return (Leadership::always(), tokio::spawn(async move { release.cancelled().await }));
    }
    // A pod that was restarted is another process: its name alone would let both lead.
    let started = k8s_openapi::jiff::Timestamp::now().as_millisecond();
    let identity = format!("{pod}_{started:x}");
    let duration = Duration::from_secs(u64::from(args.lease_seconds));
    let (elector, leader) = Elector::new(client.clone(), namespace, &args.lease_name, &identity, duration);
    (leader, tokio::spawn(elector.run(release.clone())))
}

/// Shows in the metrics whether this replica leads.
fn follow(leader: &Leadership, metrics: &Metrics) {
    let metrics = metrics.clone();
    tokio::spawn(leader.clone().follow(move |leads| metrics.set_leader(leads)));
}

/// Waits for a signal; the end of the lease's task or of the controllers is a fault.
async fn until_stopped(
    stop: &CancellationToken,
    mut lease: JoinHandle<()>,
    work: &mut JoinHandle<()>,
) -> anyhow::Result<JoinHandle<()>> {
    tokio::select! {
        () = stop.cancelled() => Ok(lease),
        ended = &mut lease => bail!("the lease task ended: {ended:?}"),
        ended = work => bail!("the controllers ended: {ended:?}"),
    }
}

/// SIGTERM (the kubelet) and SIGINT (a person) both stop cleanly.
fn stop_on_signals() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("interrupted: stopping"),
        }
        token.cancel();
    });
    Ok(stop)
}
