//! An S3 server that pods reach, with the user guide's data set.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use longshore_s3server::Server;
use tempfile::TempDir;

use crate::{Cluster, Namespace, Rows};

/// The access key that every server of the tests takes.
pub const ACCESS_KEY: &str = "e2e-access-key";
/// Its secret, which must not appear anywhere.
pub const SECRET_KEY: &str = "e2e-secret-do-not-print";

/// An S3 server of one test; it ends when it is dropped.
pub struct Store {
    /// None while it is away.
    server: Option<Server>,
    folder: TempDir,
    /// As pods reach it.
    address: String,
    /// Where it listens.
    bound: String,
}

impl Store {
    /// Starts one on the address that pods reach.
    pub async fn start() -> Result<Self> {
        let cluster = Cluster::get().await?;
        let folder = tempfile::tempdir()?;
        let host = &cluster.environment.host;
        // A name is that of a machine around this one (host.docker.internal): it leads to any address.
        let bind = if host.parse::<IpAddr>().is_ok() { host } else { "0.0.0.0" };
        let server = serve(folder.path(), &format!("{bind}:0")).await?;
        let endpoint = server.endpoint();
        let port = endpoint.rsplit(':').next().context("the server's port")?;
        let (address, bound) = (format!("{host}:{port}"), format!("{bind}:{port}"));
        Ok(Self { server: Some(server), folder, address, bound })
    }

    /// `http://…`, for `s3.endpoint`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its faults, counters and objects.
    pub fn server(&self) -> Result<&Server> {
        self.server.as_ref().context("the store is away")
    }

    /// Puts the files of a data set under `s3://<bucket>/<prefix>/`.
    pub fn fill(&self, bucket: &str, prefix: &str, rows: &Rows) -> Result<()> {
        for file in &rows.expected.files {
            let path = rows.folder.join(&file.name);
            self.server()?.put_file(bucket, &format!("{prefix}/{}", file.name), &path)?;
        }
        Ok(())
    }

    /// Makes the Secret `aws` with this server's key in a namespace.
    pub async fn secret(&self, namespace: &Namespace) -> Result<()> {
        namespace.apply(&secret("aws", ACCESS_KEY, SECRET_KEY)).await
    }

    /// Is away for some time: connections are closed and refused; then it is back at the same address with the same
    /// objects, without the faults that were set.
    pub async fn away(&mut self, time: Duration) -> Result<()> {
        let server = self.server.take().context("the store is away already")?;
        server.shutdown().await;
        tokio::time::sleep(time).await;
        self.server = Some(serve(self.folder.path(), &self.bound).await?);
        Ok(())
    }
}

async fn serve(folder: &std::path::Path, bind: &str) -> Result<Server> {
    Ok(Server::builder().data_dir(folder).bind(bind).credentials(ACCESS_KEY, SECRET_KEY).start().await?)
}

/// A Secret with the keys that workers read.
pub fn secret(name: &str, access_key: &str, secret_key: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}}}\n\
         stringData: {{access-key-id: {access_key}, secret-access-key: {secret_key}}}\n"
    )
}
