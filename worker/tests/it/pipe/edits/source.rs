//! Where the files are, and who may read them.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use longshore_s3server::{BackgroundServer, Builder, Permission, Server};
use serde_json::{Value, json};

use super::super::{PATIENCE, file};
use super::stage::{OLD, Stage, is_refused};
use crate::world::{ACCESS_KEY, SECRET_KEY, SERVER, World};

const ROLE: &str = "arn:aws:iam::123456789012:role/reader";

/// A store of its own; its folder goes with it.
fn another_server(more: impl FnOnce(Builder) -> Builder) -> (tempfile::TempDir, BackgroundServer) {
    let folder = tempfile::tempdir().unwrap();
    let server = more(Server::builder().data_dir(folder.path())).start_in_background().unwrap();
    (folder, server)
}

fn path(world: &World, pattern: &str) -> Value {
    json!(format!("s3://{}/{pattern}", world.bucket))
}

pub fn paths() {
    let mut stage = Stage::begin(|_, _| {});
    stage.loaded(1);
    stage.edit(vec![("other/new.parquet", file([10]))], |world, spec| {
        spec["source"]["paths"] = json!([path(world, "in/*.parquet"), path(world, "other/*.parquet")]);
    });
    stage.loaded(OLD + 1);
    stage.exact(&[10]);
}

pub fn endpoint() {
    let mut stage = Stage::begin(|_, _| {});
    stage.loaded(OLD);
    let (_folder, server) = another_server(|server| server.credentials(ACCESS_KEY, SECRET_KEY));
    server.put(&stage.world.bucket, "in/new.parquet", file([10])).unwrap();
    // An object that it has loaded is the same one in another store.
    server.put(&stage.world.bucket, "in/old-0.parquet", file([0])).unwrap();
    stage.edit(vec![], |_, spec| spec["source"]["s3"]["endpoint"] = json!(server.endpoint()));
    stage.loaded(OLD + 1);
    stage.exact(&[10]);
}

/// A store that is empty and remembers who asked: each signature names the region.
fn remembering() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let remembered = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            answer(stream, &remembered);
        }
    });
    (endpoint, asked)
}

fn answer(mut stream: TcpStream, asked: &Mutex<Vec<String>>) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let head = lines.take_while(|line| !line.is_empty());
    asked.lock().unwrap().extend(head.filter(|line| line.to_lowercase().starts_with("authorization:")));
    let body = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all((head + body).as_bytes()).ok();
}

pub fn region() {
    let (endpoint, asked) = remembering();
    let until = |region: &str| {
        let begin = Instant::now();
        while !asked.lock().unwrap().iter().any(|line| line.contains(&format!("/{region}/s3/"))) {
            assert!(begin.elapsed() < PATIENCE, "not asked for {region}: {asked:?}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    };
    let mut stage = Stage::begin(|_, spec| spec["source"]["s3"]["endpoint"] = json!(endpoint));
    until("us-east-1");
    stage.edit(vec![], |_, spec| spec["source"]["s3"]["region"] = json!("eu-west-9"));
    until("eu-west-9");
    stage.edit(vec![], |_, spec| spec["source"]["s3"]["endpoint"] = json!(SERVER.endpoint()));
    stage.loaded(OLD);
    stage.exact(&[]);
}

pub fn force_path_style() {
    // A name that the bucket can be put before: there is no such host.
    let endpoint = SERVER.endpoint().replace("127.0.0.1", "localhost");
    let mut stage = Stage::begin(|_, spec| {
        let s3 = &mut spec["source"]["s3"];
        (s3["endpoint"], s3["forcePathStyle"]) = (json!(endpoint), json!(false));
    });
    let progress = stage.until("a request", |progress| progress.list_requests > 0);
    assert_eq!(progress.loaded_files, 0);
    stage.edit(vec![], |_, spec| spec["source"]["s3"]["forcePathStyle"] = json!(true));
    stage.loaded(OLD);
    stage.exact(&[]);
}

pub fn secret() {
    let credentials = |name: &str| json!({"secretRef": {"name": name}});
    let mut stage = Stage::begin(|world, spec| {
        world.write_secret("wrong", ACCESS_KEY, "not-the-secret");
        spec["source"]["s3"]["credentials"] = credentials("wrong");
    });
    stage.until("refused", is_refused);
    stage.edit(vec![], |_, spec| spec["source"]["s3"]["credentials"] = credentials("s3"));
    stage.loaded(OLD);
    stage.exact(&[]);
}

pub fn anonymous() {
    let mut stage = Stage::begin(|_, _| {});
    stage.loaded(1);
    stage.edit(vec![("in/new.parquet", file([10]))], |world, spec| {
        SERVER.allow_anonymous(&world.bucket);
        // Whoever takes the key is refused.
        world.write_secret("s3", ACCESS_KEY, "not-the-secret");
        spec["source"]["s3"]["credentials"] = json!({"anonymous": true});
    });
    stage.loaded(OLD + 1);
    stage.exact(&[10]);
}

pub fn role() {
    let (_folder, server) = another_server(|server| {
        server.credentials_with(ACCESS_KEY, SECRET_KEY, Permission::AssumeRoleOnly).role(ROLE, None)
    });
    let mut stage = Stage::begin(|world, spec| {
        server.put(&world.bucket, "in/new.parquet", file([10])).unwrap();
        spec["source"]["s3"]["endpoint"] = json!(server.endpoint());
    });
    stage.until("refused", is_refused);
    stage.edit(vec![], |_, spec| {
        let role = json!({"roleArn": ROLE, "stsEndpoint": server.endpoint()});
        spec["source"]["s3"]["credentials"]["assumeRole"] = role;
    });
    stage.loaded(1);
    stage.exact_without_old(&[10]);
}
