//! Who may read: keys, rotated keys, roles, nobody, and what is said when they may not.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use longshore_crds::source::{AssumeRole, Credentials, SecretRef};
use longshore_s3server::{Fault, FaultKind, Operation, Permission};
use longshore_worker::source::{self, Outcome};

use super::embedded::Embedded;
use super::support::{Client, KEY, KEY_ID, checked, s3};

const ROLE: &str = "arn:aws:iam::123456789012:role/reader";

fn one_object() -> Embedded {
    let embedded = Embedded::start();
    embedded.server.put("data", "k", "content").unwrap();
    embedded
}

#[test]
fn a_wrong_key_is_refused_with_the_stores_code() {
    let embedded = one_object();
    let client = Client::new();
    let store = client.store(&embedded.server.endpoint());
    client.write_secret("wrong", KEY_ID, "not-the-right-key");
    client.write_secret("unknown", "AKIANOBODY", KEY);
    for (secret, code, advice) in [
        ("wrong", "SignatureDoesNotMatch, HTTP 403", "check the Secret"),
        ("unknown", "InvalidAccessKeyId, HTTP 403", "check the Secret"),
    ] {
        let mut s3 = s3(&embedded.server.endpoint());
        s3.credentials.secret_ref = Some(SecretRef { name: secret.to_owned() });
        let refused = client.connect(&s3).unwrap();
        let error = checked(client.list(&refused, &["s3://data/*"]), "AccessDenied");
        assert!(!error.is_transient());
        for part in [code, advice, "s3://data/", "list"] {
            assert!(error.to_string().contains(part), "{part} lacks in {error}");
        }
        assert!(!error.to_string().contains("not-the-right-key"));
        let object = client.list(&store, &["s3://data/k"]).unwrap().remove(0);
        let error = checked(refused.object(&object.planned(0)).fetch(0..1).wait(), "AccessDenied");
        assert!(error.to_string().contains("read s3://data/k"), "{error}");
    }
}

#[test]
fn missing_rights_are_named() {
    let embedded = one_object();
    embedded.server.faults().add(Fault::new(FaultKind::AccessDenied).on(Operation::ListObjectsV2));
    let client = Client::new();
    let store = client.store(&embedded.server.endpoint());
    let error = checked(client.list(&store, &["s3://data/a/*"]), "AccessDenied");
    assert!(error.to_string().contains("grant this identity s3:ListBucket"), "{error}");
    // A key without wildcards needs no right to list.
    assert_eq!(client.keys(&store, "s3://data/k"), ["k"]);
    let error = checked(client.list(&store, &["s3://data/absent"]), "AccessDenied");
    assert!(error.to_string().contains("s3:ListBucket"), "{error}");
}

#[test]
fn a_secret_that_is_rotated_under_a_load_is_read_again() {
    let embedded = one_object();
    let client = Client::new();
    let store = client.store(&embedded.server.endpoint());
    let object = client.open(&store, "s3://data/k");
    embedded.server.revoke_credentials(KEY_ID);
    checked(object.fetch(0..1).wait(), "AccessDenied");
    embedded.server.set_credentials("AKIANEW", "another-key");
    client.write_secret("aws", "AKIANEW", "another-key");
    assert_eq!(object.fetch(0..7).wait().unwrap(), "content");
    assert_eq!(client.keys(&store, "s3://data/*"), ["k"]);
    // The unchanged Secret was not tried twice; the new one was tried once after the refusal.
    let counted = client.metrics.snapshot();
    assert_eq!(counted.count(source::Operation::Get, Outcome::Unauthorised), 2);
    assert_eq!(counted.retries, 1);
}

#[test]
fn a_read_waits_for_the_secret_when_the_store_refuses_a_key_that_it_took() {
    let embedded = one_object();
    let mut client = Client::new();
    client.policy.rotation = Duration::from_secs(60);
    let store = client.store(&embedded.server.endpoint());
    let object = client.open(&store, "s3://data/k");
    // The key goes first and the mounted Secret changes later, as a kubelet brings it.
    embedded.server.revoke_credentials(KEY_ID);
    let read = object.fetch(0..7);
    let started = Instant::now();
    while client.metrics.snapshot().count(source::Operation::Get, Outcome::Unauthorised) == 0 {
        assert!(started.elapsed() < Duration::from_secs(30), "the revoked key was not refused");
    }
    embedded.server.set_credentials("AKIANEW", "another-key");
    client.write_secret("aws", "AKIANEW", "another-key");
    assert_eq!(read.wait().unwrap(), "content");
    let counted = client.metrics.snapshot();
    assert_eq!(counted.count(source::Operation::Get, Outcome::Unauthorised), 1);
}

#[test]
fn a_key_that_never_worked_is_not_waited_for() {
    let embedded = one_object();
    let mut client = Client::new();
    client.policy.rotation = Duration::from_secs(3600);
    embedded.server.revoke_credentials(KEY_ID);
    let store = client.store(&embedded.server.endpoint());
    checked(client.list(&store, &["s3://data/*"]), "AccessDenied");
}

#[test]
fn nobody_reads_a_public_bucket_only() {
    let embedded = Embedded::with(|builder| builder.anonymous_bucket("public"));
    embedded.server.put("public", "k", "content").unwrap();
    embedded.server.put("private", "k", "content").unwrap();
    let client = Client::new();
    let mut s3 = s3(&embedded.server.endpoint());
    s3.credentials = Credentials { anonymous: true, ..Credentials::default() };
    let store = client.connect(&s3).unwrap();
    assert_eq!(client.open(&store, "s3://public/k").fetch(0..7).wait().unwrap(), "content");
    checked(client.list(&store, &["s3://private/*"]), "AccessDenied");
    s3.credentials.secret_ref = Some(SecretRef { name: "aws".to_owned() });
    assert_eq!(client.connect(&s3).err().unwrap().category(), "CredentialsNotFound");
}

fn role(endpoint: &str, external_id: Option<&str>) -> AssumeRole {
    AssumeRole {
        role_arn: ROLE.to_owned(),
        external_id: external_id.map(str::to_owned),
        session_name: None,
        sts_endpoint: Some(endpoint.to_owned()),
    }
}

#[test]
fn a_role_is_assumed_on_top_of_a_secret() {
    let embedded = Embedded::with(|builder| {
        let limited = builder.credentials_with("AKIALIMITED", KEY, Permission::AssumeRoleOnly);
        limited.role(ROLE, Some("ticket 7"))
    });
    embedded.server.put("data", "k", "content").unwrap();
    let client = Client::new();
    client.write_secret("limited", "AKIALIMITED", KEY);
    let endpoint = embedded.server.endpoint();
    let mut s3 = s3(&endpoint);
    s3.credentials.secret_ref = Some(SecretRef { name: "limited".to_owned() });
    let store = client.connect(&s3).unwrap();
    checked(client.list(&store, &["s3://data/*"]), "AccessDenied");

    s3.credentials.assume_role = Some(role(&endpoint, Some("ticket 7")));
    let store = client.connect(&s3).unwrap();
    assert_eq!(client.open(&store, "s3://data/k").fetch(0..7).wait().unwrap(), "content");
    // One set of credentials serves many requests.
    let counted = client.metrics.snapshot();
    assert_eq!(counted.count(source::Operation::AssumeRole, Outcome::Ok), 1);

    s3.credentials.assume_role = Some(role(&endpoint, None));
    let error = checked(client.connect(&s3).map(|_| ()), "AccessDenied");
    for part in [ROLE, "AccessDenied", "trust policy"] {
        assert!(error.to_string().contains(part), "{part} lacks in {error}");
    }
}

#[test]
fn a_role_that_runs_out_is_assumed_again() {
    let short = Duration::from_secs(4);
    let embedded = Embedded::with(|builder| builder.role_with_lifetime(ROLE, None, short));
    embedded.server.put("data", "k", "content").unwrap();
    let client = Client::new();
    let mut s3 = s3(&embedded.server.endpoint());
    s3.credentials.assume_role = Some(role(&embedded.server.endpoint(), None));
    let store = client.connect(&s3).unwrap();
    let assumed = || client.metrics.snapshot().count(source::Operation::AssumeRole, Outcome::Ok);
    let started = Instant::now();
    while assumed() < 3 {
        assert_eq!(client.keys(&store, "s3://data/*"), ["k"]);
        assert!(started.elapsed() < 10 * short, "{} times", assumed());
    }
    // Renewed before they ran out, and not at each request.
    let counted = client.metrics.snapshot();
    assert_eq!(counted.count(source::Operation::List, Outcome::Unauthorised), 0);
    assert!(counted.total(source::Operation::List) > 20);
}

#[test]
fn an_sts_endpoint_that_is_not_there_is_named() {
    let client = Client::new();
    let endpoint = nothing_listens();
    let mut s3 = s3("http://127.0.0.1:1");
    s3.credentials.assume_role = Some(role(&endpoint, None));
    let error = checked(client.connect(&s3).map(|_| ()), "EndpointUnreachable");
    assert!(error.to_string().contains(&endpoint), "{error}");
}

#[test]
fn an_endpoint_without_a_scheme_is_refused() {
    let error = Client::new().connect(&s3("minio:9000")).err().unwrap();
    assert!(error.to_string().contains("\"minio:9000\": an endpoint begins with http://"), "{error}");
}

fn nothing_listens() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn an_endpoint_that_is_not_there_is_named() {
    let client = Client::new();
    for endpoint in [nothing_listens(), "http://no-such-host.invalid:9000".to_owned()] {
        let store = client.store(&endpoint);
        let error = checked(client.list(&store, &["s3://data/*"]), "EndpointUnreachable");
        assert!(error.is_transient());
        for part in [endpoint.as_str(), "s3://data/", "check s3.endpoint"] {
            assert!(error.to_string().contains(part), "{part} lacks in {error}");
        }
    }
}

#[test]
fn a_missing_secret_is_named_with_its_file() {
    let client = Client::new();
    let endpoint = "http://127.0.0.1:1";
    let connect = |name: &str| {
        let mut s3 = s3(endpoint);
        s3.credentials.secret_ref = Some(SecretRef { name: name.to_owned() });
        checked(client.connect(&s3).map(|_| ()), "CredentialsNotFound").to_string()
    };
    let text = connect("absent");
    assert!(text.contains("\"absent\"") && text.contains("absent/access-key-id"), "{text}");
    fs::remove_file(client.secret("aws").join("secret-access-key")).unwrap();
    let text = connect("aws");
    assert!(text.contains("aws/secret-access-key"), "{text}");
    fs::write(client.secret("aws").join("secret-access-key"), " \n").unwrap();
    assert!(connect("aws").contains("or empty"));
    fs::write(client.secret("aws").join("secret-access-key"), format!("{KEY} and more")).unwrap();
    assert!(connect("aws").contains("blanks"));
    for name in ["../aws", "a/b", "."] {
        assert!(connect(name).contains("cannot be the name of a Secret"));
    }
}

/// Runs one test of this binary again with another environment (which a process cannot change for itself).
fn run_again(test: &str, environment: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", "--nocapture", test]);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"] {
        command.env_remove(name);
    }
    // No profile of the person who runs the tests.
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    let output = command.envs(environment.iter().copied()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
    assert!(!printed.contains(KEY), "a secret value was printed: {printed}");
    assert!(printed.contains("1 passed"), "{printed}");
}

#[test]
fn keys_come_from_the_environment() {
    let embedded = one_object();
    let endpoint = embedded.server.endpoint();
    let environment =
        [("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", KEY), ("TEST_ENDPOINT", &endpoint)];
    run_again("source::access::with_keys_in_the_environment", &environment);
}

#[test]
#[ignore = "run by keys_come_from_the_environment"]
fn with_keys_in_the_environment() {
    let mut client = Client::new();
    client.with_secrets_dir = false;
    let mut s3 = s3(&std::env::var("TEST_ENDPOINT").unwrap());
    // In place of a Secret where no folder of Secrets is mounted, and by the chain.
    assert_eq!(client.keys(&client.connect(&s3).unwrap(), "s3://data/*"), ["k"]);
    s3.credentials.secret_ref = None;
    assert_eq!(client.keys(&client.connect(&s3).unwrap(), "s3://data/*"), ["k"]);
}

#[test]
fn an_empty_environment_has_no_keys_and_the_node_is_not_asked() {
    run_again("source::access::with_nothing_in_the_environment", &[]);
}

#[test]
#[ignore = "run by an_empty_environment_has_no_keys_and_the_node_is_not_asked"]
fn with_nothing_in_the_environment() {
    let mut client = Client::new();
    client.with_secrets_dir = false;
    let mut s3 = s3("http://127.0.0.1:1");
    let text = checked(client.connect(&s3).map(|_| ()), "CredentialsNotFound").to_string();
    assert!(text.contains("AWS_ACCESS_KEY_ID") && text.contains("Secret \"aws\""), "{text}");
    s3.credentials.secret_ref = None;
    let text = checked(client.connect(&s3).map(|_| ()), "CredentialsNotFound").to_string();
    assert!(text.contains("secretRef") && text.contains("anonymous"), "{text}");
}

#[test]
fn everything_the_client_traces_is_free_of_the_secret() {
    let embedded = one_object();
    let endpoint = embedded.server.endpoint();
    let printed = run_traced("source::access::with_everything_traced", &endpoint);
    assert!(printed.contains("1 passed") && printed.len() > 1000, "{printed}");
    assert!(!printed.contains(KEY), "a secret value was printed");
}

fn run_traced(test: &str, endpoint: &str) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", "--nocapture", test]).env("TEST_ENDPOINT", endpoint);
    let output = command.output().unwrap();
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
#[ignore = "run by everything_the_client_traces_is_free_of_the_secret"]
fn with_everything_traced() {
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).init();
    let client = Client::new();
    let store = client.store(&std::env::var("TEST_ENDPOINT").unwrap());
    assert_eq!(client.open(&store, "s3://data/k").fetch(0..7).wait().unwrap(), "content");
}
