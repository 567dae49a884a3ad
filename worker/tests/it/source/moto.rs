//! The contract on moto, a server that nobody here wrote.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use longshore_crds::source::{AssumeRole, S3};
use tokio::runtime::Runtime;

use super::contract::{self, AnyStore};
use super::support::{Client, KEY, KEY_ID, s3};

struct Moto {
    endpoint: String,
    client: aws_sdk_s3::Client,
    runtime: Runtime,
    /// Its standard input: when this process ends, however, the pipe closes and the server ends.
    _server: Child,
}

/// The folder of the tests' Python.
fn venv() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv");
    env::var_os("LONGSHORE_VENV").map_or(default, PathBuf::from)
}

impl Moto {
    /// One server for all tests of this process; each test has buckets of its own.
    fn shared() -> &'static Self {
        static SERVER: OnceLock<Moto> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    fn start() -> Self {
        let program = venv().join("bin/moto_server");
        assert!(program.exists(), "{} is not there: run make venv", program.display());
        // The shell ends the server when its own input ends.
        let script = "\"$0\" -H 127.0.0.1 -p 0 2>&1 & server=$!; read end; kill $server";
        let mut server = Command::new("sh")
            .args(["-c", script])
            .arg(&program)
            .env("MOTO_S3_DEFAULT_MAX_KEYS", "4")
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
        let running =
            lines.find(|line| line.contains("Running on http://")).expect("moto_server did not start");
        let endpoint = running.rsplit(' ').next().unwrap().trim().to_owned();
        std::thread::spawn(move || lines.count());
        let client = client(&endpoint);
        Self { endpoint, client, runtime: Runtime::new().unwrap(), _server: server }
    }
}

fn client(endpoint: &str) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(Credentials::new(KEY_ID, KEY, None, None, "test"))
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

impl AnyStore for Moto {
    fn s3(&self) -> S3 {
        s3(&self.endpoint)
    }

    fn create_bucket(&self, bucket: &str) {
        self.runtime.block_on(self.client.create_bucket().bucket(bucket).send()).unwrap();
    }

    fn put(&self, bucket: &str, key: &str, content: &[u8]) {
        let body = ByteStream::from(content.to_vec());
        self.runtime.block_on(self.client.put_object().bucket(bucket).key(key).body(body).send()).unwrap();
    }
}

#[test]
fn a10_star_never_crosses_a_slash_in_listings() {
    contract::a10_wildcards(Moto::shared());
}

#[test]
fn a11_folder_markers_are_skipped() {
    contract::a11_folder_markers(Moto::shared());
}

#[test]
fn a12_odd_keys_are_one_file_each() {
    contract::a12_odd_keys(Moto::shared());
}

#[test]
fn pages_come_in_order_and_whole() {
    contract::pages_come_in_order_and_whole(Moto::shared());
}

#[test]
fn ranges_are_read_as_they_are() {
    contract::ranges(Moto::shared());
}

#[test]
fn a_changed_or_deleted_object_is_refused() {
    contract::a_changed_or_deleted_object_is_refused(Moto::shared());
}

#[test]
fn no_such_bucket_is_named() {
    contract::no_such_bucket(Moto::shared());
}

#[test]
fn a_role_is_assumed() {
    let moto = Moto::shared();
    moto.create_bucket("roles");
    moto.put("roles", "k", b"1");
    let mut s3 = moto.s3();
    s3.credentials.assume_role = Some(AssumeRole {
        role_arn: "arn:aws:iam::123456789012:role/reader".to_owned(),
        external_id: Some("ticket 7".to_owned()),
        session_name: None,
        sts_endpoint: Some(moto.endpoint.clone()),
    });
    let client = Client::new();
    let store = client.connect(&s3).unwrap();
    assert_eq!(client.keys(&store, "s3://roles/*"), ["k"]);
}
