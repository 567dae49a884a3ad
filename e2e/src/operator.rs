//! The operator as a process of this host, with the token and the rights of its ServiceAccount: several at once, and
//! killed at any instant.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::wait::{Look, until};
use crate::{Cluster, Namespace, deploy, kubectl};

/// What a test changes of an operator.
#[derive(Debug, Clone, Default)]
pub struct OperatorOptions {
    /// Further arguments.
    pub arguments: Vec<String>,
    /// Another image for workers than the tests' own.
    pub image: Option<String>,
}

/// An operator that watches one namespace. It is killed when it is dropped.
pub struct Operator {
    child: Child,
    log: PathBuf,
    address: String,
    namespace: Namespace,
    options: OperatorOptions,
    number: u32,
}

impl Operator {
    /// Starts one for this namespace and waits until it is ready.
    pub async fn start(namespace: &Namespace) -> Result<Self> {
        Self::start_with(namespace, 1, OperatorOptions::default()).await
    }

    /// Starts instance `number` (from 1) with options.
    pub async fn start_with(namespace: &Namespace, number: u32, options: OperatorOptions) -> Result<Self> {
        let operator = Self::spawn(namespace, number, options).await?;
        operator.until_serving().await?;
        Ok(operator)
    }

    async fn spawn(namespace: &Namespace, number: u32, options: OperatorOptions) -> Result<Self> {
        let cluster = Cluster::get().await?;
        let environment = &cluster.environment;
        let folder = environment.scratch.join("operators").join(&namespace.name);
        std::fs::create_dir_all(&folder)?;
        namespace.apply(&deploy::rights(&namespace.name, false).await?).await?;
        let kubeconfig = folder.join("kubeconfig");
        std::fs::write(&kubeconfig, account_kubeconfig(namespace).await?)?;
        let log = folder.join(format!("{number}.log"));
        let output = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let address = free_address()?;
        let image = options.image.as_ref().unwrap_or(&environment.image);
        let child = Command::new(environment.programs.join("longshore-operator"))
            .args(["--watch-namespaces", &namespace.name, "--worker-image", image])
            .args(["--listen", &address])
            .args(&options.arguments)
            .env("KUBECONFIG", &kubeconfig)
            .env("LONGSHORE_NAMESPACE", &namespace.name)
            .env("LONGSHORE_POD_NAME", format!("operator-{number}"))
            .env("LONGSHORE_LEASE_SECONDS", "4")
            .env("LONGSHORE_LOG", "info,longshore_operator=debug")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .context("longshore-operator cannot be started: is it built?")?;
        Ok(Self { child, log, address, namespace: namespace.clone(), options, number })
    }

    async fn until_serving(&self) -> Result<()> {
        until("the operator's /healthz", Duration::from_secs(20), async || {
            let answer = self.get("/healthz").await?;
            Ok(Look::when(answer.starts_with("HTTP/1.1 200"), (), answer))
        })
        .await
    }

    /// Its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Kills it at once (SIGKILL).
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again after [`Operator::kill`]; does not wait until it is ready.
    pub async fn restart(&mut self) -> Result<()> {
        *self = Self::spawn(&self.namespace.clone(), self.number, self.options.clone()).await?;
        Ok(())
    }

    /// The whole answer of its admin port to a GET.
    pub async fn get(&self, path: &str) -> Result<String> {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(&self.address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: operator\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// Its log so far.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// Bytes of memory that it holds (resident).
    pub fn resident_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("VmRSS")?;
        let kib: u64 = line.split_whitespace().nth(1).context("VmRSS")?.parse()?;
        Ok(kib * 1024)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("the operator could not be killed: {error:#}");
        }
        if std::thread::panicking() {
            eprintln!("the operator's log is {}", self.log.display());
        }
    }
}

/// A port that nobody listens on now.
fn free_address() -> Result<String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.to_string())
}

async fn account_kubeconfig(namespace: &Namespace) -> Result<String> {
    let token =
        kubectl(&["-n", &namespace.name, "create", "token", deploy::RELEASE, "--duration=2h"], "").await?;
    // Only the context that is in use, with its certificates in it.
    let text = kubectl(&["config", "view", "--raw", "--minify", "--flatten", "-o", "json"], "").await?;
    let mut config: serde_json::Value = serde_json::from_str(&text)?;
    let Some(user) = config.pointer_mut("/users/0/user") else { bail!("the kubeconfig has no user") };
    *user = json!({"token": token.trim()});
    if let Some(context) = config.pointer_mut("/contexts/0/context/namespace") {
        *context = json!(namespace.name);
    }
    Ok(config.to_string())
}
