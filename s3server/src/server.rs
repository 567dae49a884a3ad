//! The server: settings, start, the handle to fill and watch it, and its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::service::S3ServiceBuilder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::assume_role::AssumeRole;
use crate::backend::Backend;
use crate::backend::digest;
use crate::backend::key_range::{KeyRange, MAX_KEYS};
use crate::backend::object::{Content, Object};
use crate::backend::store::Store;
use crate::background::BackgroundServer;
use crate::connection::{Connection, ResetSwitch};
use crate::counters::Counters;
use crate::credentials::{Authentication, Authorization, Identities, Permission, Role};
use crate::error::ServerError;
use crate::faults::{Fault, Faults};
use crate::gate::Gate;

/// Settings of a server; see [`Server::builder`].
#[derive(Debug)]
#[must_use]
pub struct Builder {
    data_dir: Option<PathBuf>,
    address: String,
    seed: u64,
    buckets: Vec<String>,
    faults: Vec<Fault>,
    identities: Identities,
}

impl Builder {
    /// The folder for all data; required. Folders in it are buckets, files in those are served by
    /// their relative path.
    pub fn data_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.data_dir = Some(path.into());
        self
    }

    /// The address to listen on; default `127.0.0.1:0` (any free port).
    pub fn bind(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// Accepts requests signed with this key; may be called for several. Without any, all signed
    /// requests are refused.
    pub fn credentials(self, access_key: &str, secret_key: &str) -> Self {
        self.credentials_with(access_key, secret_key, Permission::Full)
    }

    /// Accepts a key that may do only what `permission` says.
    pub fn credentials_with(self, access_key: &str, secret_key: &str, permission: Permission) -> Self {
        self.identities.add_key(access_key, secret_key, permission);
        self
    }

    /// Makes a bucket at the start.
    pub fn bucket(mut self, bucket: impl Into<String>) -> Self {
        self.buckets.push(bucket.into());
        self
    }

    /// Makes a bucket that unsigned requests may read and list.
    pub fn anonymous_bucket(self, bucket: &str) -> Self {
        self.identities.allow_anonymous(bucket);
        self.bucket(bucket)
    }

    /// Lets AssumeRole give credentials for this role, only with the external id if there is one.
    pub fn role(self, arn: &str, external_id: Option<&str>) -> Self {
        self.identities.add_role(arn, Role { external_id: external_id.map(str::to_owned), lifetime: None });
        self
    }

    /// Like [`Builder::role`], but credentials live this long whatever the request asks for.
    pub fn role_with_lifetime(self, arn: &str, external_id: Option<&str>, lifetime: Duration) -> Self {
        let role = Role { external_id: external_id.map(str::to_owned), lifetime: Some(lifetime) };
        self.identities.add_role(arn, role);
        self
    }

    /// A fault from the start on.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Seed of the random numbers of faults with a rate; default 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Indexes the data folder, listens, and answers from then on in tasks of the current runtime.
    pub async fn start(self) -> Result<Server, ServerError> {
        let root = self
            .data_dir
            .ok_or_else(|| ServerError::Setting { message: "no data folder: set data_dir".to_owned() })?;
        let store = Arc::new(Store::open(&root)?);
        for bucket in &self.buckets {
            store.create_bucket(bucket)?;
        }
        let faults = Arc::new(Faults::new(self.seed));
        for fault in self.faults {
            faults.add(fault);
        }
        let bind_error = |source| ServerError::Bind { address: self.address.clone(), source };
        let listener = TcpListener::bind(&self.address).await.map_err(bind_error)?;
        let address = listener.local_addr().map_err(bind_error)?;

        let identities = Arc::new(self.identities);
        let counters = Arc::new(Counters::default());
        let mut service = S3ServiceBuilder::new(Backend { store: store.clone() });
        service.set_auth(Authentication(identities.clone()));
        service.set_access(Authorization(identities.clone()));
        service.set_route(AssumeRole(identities.clone()));
        let gate = Gate { service: service.build(), faults: faults.clone(), counters: counters.clone() };

        let (stop, stopped) = watch::channel(());
        let accepting = tokio::spawn(accept(listener, Arc::new(gate), stopped));
        Ok(Server { address, store, identities, faults, counters, stop, accepting })
    }

    /// Like [`Builder::start`], on a thread and a runtime of its own: for tests that are not async.
    pub fn start_in_background(self) -> Result<BackgroundServer, ServerError> {
        BackgroundServer::start(self)
    }
}

/// A running server. It ends with [`Server::shutdown`] or when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    store: Arc<Store>,
    identities: Arc<Identities>,
    faults: Arc<Faults>,
    counters: Arc<Counters>,
    stop: watch::Sender<()>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// A server on `127.0.0.1` and any free port, without credentials; the data folder must be set.
    pub fn builder() -> Builder {
        Builder {
            data_dir: None,
            address: "127.0.0.1:0".to_owned(),
            seed: 0,
            buckets: Vec::new(),
            faults: Vec::new(),
            identities: Identities::default(),
        }
    }

    /// The URL that clients take as endpoint (with path style), such as `http://127.0.0.1:4242`.
    /// It answers STS too.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The faults, to add and remove.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What was asked and sent.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Makes a bucket; one that exists stays as it is.
    pub fn create_bucket(&self, bucket: &str) -> Result<(), ServerError> {
        self.store.create_bucket(bucket)
    }

    /// Puts an object without going through HTTP, and makes its bucket if absent. Gives the ETag
    /// without quotes.
    pub fn put(&self, bucket: &str, key: &str, content: impl AsRef<[u8]>) -> Result<String, ServerError> {
        let content = content.as_ref();
        self.ensure_bucket(bucket)?;
        let file = self.store.new_file();
        std::fs::write(&file, content).map_err(|error| ServerError::io("write", &file, error))?;
        let etag = digest::of_bytes(content);
        self.store.adopt(bucket, key, &file, content.len() as u64, etag).map(|object| object.etag)
    }

    /// Puts a file as an object, by a hard link where possible, else by copying: the file must not
    /// be written to afterwards. Gives the ETag without quotes.
    pub fn put_file(&self, bucket: &str, key: &str, path: &Path) -> Result<String, ServerError> {
        self.ensure_bucket(bucket)?;
        let etag = digest::of_file(path)?;
        let file = self.store.new_file();
        if std::fs::hard_link(path, &file).is_err() {
            std::fs::copy(path, &file).map_err(|error| ServerError::io("copy", path, error))?;
        }
        let size = file.metadata().map_err(|error| ServerError::io("read", &file, error))?.len();
        self.store.adopt(bucket, key, &file, size, etag).map(|object| object.etag)
    }

    /// Gives an object that exists another content. Gives the new ETag without quotes.
    pub fn replace(&self, bucket: &str, key: &str, content: impl AsRef<[u8]>) -> Result<String, ServerError> {
        if self.store.get(bucket, key)?.is_none() {
            return Err(no_such_key(bucket, key));
        }
        self.put(bucket, key, content)
    }

    /// Removes an object; an error if there is none.
    pub fn remove(&self, bucket: &str, key: &str) -> Result<(), ServerError> {
        if self.store.remove(bucket, key)? {
            return Ok(());
        }
        Err(no_such_key(bucket, key))
    }

    /// The tags of an object, key and value; an error if there is no such object.
    pub fn tags(&self, bucket: &str, key: &str) -> Result<Vec<(String, String)>, ServerError> {
        self.store.tags(bucket, key)?.ok_or_else(|| no_such_key(bucket, key))
    }

    /// Gives an object other tags; an error if there is no such object.
    pub fn set_tags(&self, bucket: &str, key: &str, tags: &[(&str, &str)]) -> Result<(), ServerError> {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        if self.store.set_tags(bucket, key, tags)? { Ok(()) } else { Err(no_such_key(bucket, key)) }
    }

    /// The ETag of an object without quotes; None if there is no such object.
    pub fn etag(&self, bucket: &str, key: &str) -> Result<Option<String>, ServerError> {
        Ok(self.store.get(bucket, key)?.map(|open| open.object.etag))
    }

    /// Adds the keys `{prefix}{i:09}.parquet` for `i` below `count` (at most 1,000,000,000), each of
    /// `size` zero bytes, for the memory of one key.
    pub fn add_virtual(&self, bucket: &str, prefix: &str, count: u64, size: u64) -> Result<(), ServerError> {
        let etag = digest::of_bytes(format!("{size} zeros").as_bytes());
        self.add_range(bucket, prefix, count, size, etag, Content::Zeros)
    }

    /// Like [`Server::add_virtual`], but each key has this content.
    pub fn add_virtual_copies(
        &self,
        bucket: &str,
        prefix: &str,
        count: u64,
        content: Bytes,
    ) -> Result<(), ServerError> {
        let etag = digest::of_bytes(&content);
        self.add_range(bucket, prefix, count, content.len() as u64, etag, Content::Memory(content))
    }

    /// How many objects with a file the bucket has; keys of [`Server::add_virtual`] do not count.
    pub fn object_count(&self, bucket: &str) -> usize {
        self.store.count(bucket)
    }

    /// Accepts another key, or another secret for a known one.
    pub fn set_credentials(&self, access_key: &str, secret_key: &str) {
        self.identities.add_key(access_key, secret_key, Permission::Full);
    }

    /// Refuses a key from now on with `InvalidAccessKeyId`.
    pub fn revoke_credentials(&self, access_key: &str) {
        self.identities.remove_key(access_key);
    }

    /// Lets unsigned requests read and list the bucket.
    pub fn allow_anonymous(&self, bucket: &str) {
        self.identities.allow_anonymous(bucket);
    }

    /// Stops listening and closes all connections.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(());
        if let Err(error) = (&mut self.accepting).await {
            tracing::warn!(%error, "the accepting task did not end well");
        }
    }

    fn ensure_bucket(&self, bucket: &str) -> Result<(), ServerError> {
        if self.store.has_bucket(bucket) { Ok(()) } else { self.store.create_bucket(bucket) }
    }

    fn add_range(
        &self,
        bucket: &str,
        prefix: &str,
        count: u64,
        size: u64,
        etag: String,
        content: Content,
    ) -> Result<(), ServerError> {
        if count > MAX_KEYS {
            let message =
                format!("{count} keys are more than a range holds ({MAX_KEYS}); add several ranges");
            return Err(ServerError::Setting { message });
        }
        self.ensure_bucket(bucket)?;
        let object = Object { size, etag, modified: SystemTime::now(), content };
        self.store.add_range(bucket, KeyRange::new(prefix, count, object))
    }
}

fn no_such_key(bucket: &str, key: &str) -> ServerError {
    ServerError::NoSuchKey { bucket: bucket.to_owned(), key: key.to_owned() }
}

/// Accepts connections until the stop signal or until the handle is gone; then aborts them all.
async fn accept(listener: TcpListener, gate: Arc<Gate>, mut stopped: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, gate.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    connections.shutdown().await;
}

async fn converse(stream: TcpStream, gate: Arc<Gate>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "small answers may be delayed");
    }
    let switch = ResetSwitch::default();
    let connection = TokioIo::new(Connection::new(stream, switch.clone()));
    let service = service_fn(move |request| {
        let (gate, switch) = (gate.clone(), switch.clone());
        async move { Ok::<_, Infallible>(gate.answer(request, switch).await) }
    });
    let served = http1::Builder::new().timer(TokioTimer::new()).serve_connection(connection, service).await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}
