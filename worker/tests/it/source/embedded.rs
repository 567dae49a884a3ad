//! The contract on the embedded server.

use longshore_crds::source::S3;
use longshore_s3server::{BackgroundServer, Server};
use tempfile::TempDir;

use super::contract::{self, AnyStore};
use super::support::{KEY, KEY_ID, s3};

pub struct Embedded {
    pub server: BackgroundServer,
    _folder: TempDir,
}

impl Embedded {
    pub fn start() -> Self {
        Self::with(|builder| builder)
    }

    pub fn with(settings: impl FnOnce(longshore_s3server::Builder) -> longshore_s3server::Builder) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let builder = Server::builder().data_dir(folder.path()).credentials(KEY_ID, KEY);
        Self { server: settings(builder).start_in_background().unwrap(), _folder: folder }
    }
}

impl AnyStore for Embedded {
    fn s3(&self) -> S3 {
        s3(&self.server.endpoint())
    }

    fn create_bucket(&self, bucket: &str) {
        self.server.create_bucket(bucket).unwrap();
    }

    fn put(&self, bucket: &str, key: &str, content: &[u8]) {
        self.server.put(bucket, key, content).unwrap();
    }
}

#[test]
fn a10_star_never_crosses_a_slash_in_listings() {
    contract::a10_wildcards(&Embedded::start());
}

#[test]
fn a11_folder_markers_are_skipped() {
    contract::a11_folder_markers(&Embedded::start());
}

#[test]
fn a12_odd_keys_are_one_file_each() {
    contract::a12_odd_keys(&Embedded::start());
}

#[test]
fn pages_come_in_order_and_whole() {
    contract::pages_come_in_order_and_whole(&Embedded::start());
}

#[test]
fn ranges_are_read_as_they_are() {
    contract::ranges(&Embedded::start());
}

#[test]
fn a_changed_or_deleted_object_is_refused() {
    contract::a_changed_or_deleted_object_is_refused(&Embedded::start());
}

#[test]
fn no_such_bucket_is_named() {
    contract::no_such_bucket(&Embedded::start());
}
