//! The program as a plugin of kubectl, with a kubectl that answers from files: what it asks for, which pod it makes,
//! and that the pod is deleted however it ends.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use crate::program::{Program, Said};

/// Notes each call; answers what the plugin asks for.
const KUBECTL: &str = r#"#!/bin/sh
cd "$FAKE"
echo "$*" >> calls
case "$*" in
  *"get pipes.longshore.dev p -o json") cat pipe.json;;
  *"get pipes.longshore.dev -o json") printf '{"items":['; cat pipe.json; printf ']}';;
  *"get tables.longshore.dev t -o json") cat table.json;;
  *"get deployments.apps,jobs.batch -l app.kubernetes.io/name=longshore-worker,longshore.dev/table=t -o json")
    cat workers.json;;
  *"create -f - -o name") cat > pod.json; echo pod/p-ask-x;;
  *"get pod/p-ask-x -o json") cat status.json;;
  *"logs --follow pod/p-ask-x") cat answer;;
  *"annotate pipes.longshore.dev p longshore.dev/run-again="*" --overwrite") ;;
  *"delete pod/p-ask-x --wait=false --ignore-not-found") ;;
  *) echo "not expected: $*" >&2; exit 1;;
esac
"#;
const PIPE: &str = r#"{"apiVersion": "longshore.dev/v1alpha1", "kind": "Pipe", "metadata": {"name": "p"},
 "spec": {"table": "t", "ledger": "l", "source": {"paths": ["s3://b/d/*"]}}}"#;
const TABLE: &str = r#"{"apiVersion": "longshore.dev/v1alpha1", "kind": "Table", "metadata": {"name": "t"},
 "spec": {"columns": [{"name": "a", "type": "INT"}], "distribution": {"random": {"buckets": 1}}},
 "status": {"claim": "table-t", "accessModes": ["ReadWriteOnce"]}}"#;
const WORKERS: &str = r#"{"items": [{"metadata": {"creationTimestamp": "2024-01-01T00:00:00Z"},
 "spec": {"template": {"spec": {"containers": [{"name": "worker", "image": "images.test/longshore:1"}]}}}}]}"#;

fn ended(code: i32, message: &str) -> String {
    format!(
        r#"{{"metadata": {{}}, "status": {{"phase": "Succeeded", "containerStatuses": [{{"name": "worker",
 "image": "i", "imageID": "", "ready": false, "restartCount": 0,
 "state": {{"terminated": {{"exitCode": {code}, "message": "{message}"}}}}}}]}}}}"#
    )
}

struct Plugin {
    program: Program,
}

impl Plugin {
    fn new(status: &str, answer: &str) -> Self {
        let program = Program::new();
        for (name, text) in [
            ("kubectl", KUBECTL),
            ("pipe.json", PIPE),
            ("table.json", TABLE),
            ("workers.json", WORKERS),
            ("status.json", status),
            ("answer", answer),
        ] {
            program.write(name, text);
        }
        fs::set_permissions(program.path("kubectl"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink(env!("CARGO_BIN_EXE_longshore"), program.path("kubectl-longshore")).unwrap();
        Self { program }
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(self.program.path("kubectl-longshore"));
        command.args(arguments);
        command.env("LONGSHORE_KUBECTL", self.program.path("kubectl")).env("FAKE", self.program.path("."));
        Said::of(&command.output().unwrap())
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.program.path(name)).unwrap_or_default()
    }
}

#[test]
fn a_pod_with_the_tables_volume_answers_and_is_deleted() {
    let plugin = Plugin::new(&ended(0, ""), "FILE   STATE\n");
    let said = plugin.run(&["-n", "lake", "--context", "c", "pipe", "files", "p", "--state", "ERROR"]);
    assert_eq!((said.code, said.out.as_str()), (0, "FILE   STATE\n"), "{said:?}");
    let pod: serde_json::Value = serde_json::from_str(&plugin.read("pod.json")).unwrap();
    let container = &pod["spec"]["containers"][0];
    assert_eq!(container["image"], "images.test/longshore:1");
    let expected = ["ask", "--pipe", "p", "--ledger", "l", "files", "--state=ERROR", "--limit=100"];
    assert_eq!(container["args"], serde_json::json!(expected));
    assert_eq!(pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"], "table-t");
    let calls = plugin.read("calls");
    assert!(calls.lines().all(|call| call.starts_with("--namespace=lake --context=c ")), "{calls}");
    assert!(calls.lines().last().unwrap().contains("delete pod/p-ask-x"), "{calls}");
}

#[test]
fn what_went_wrong_in_the_pod_is_told_and_the_pod_is_deleted() {
    let message = "s3://b/d/k is FINISHED in ledger l, not ERROR";
    let plugin = Plugin::new(&ended(68, message), "");
    let said = plugin.run(&["pipe", "retry", "p", "--file", "s3://b/d/k"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains(message), "{said:?}");
    assert!(plugin.read("calls").contains("delete pod/p-ask-x"));
}

#[test]
fn retry_lets_a_pipe_that_lists_once_run_once_more_and_no_other() {
    let plugin = Plugin::new(&ended(0, ""), "1 file is put back\n");
    let annotations = || plugin.read("calls").matches(" annotate ").count();
    assert_eq!(plugin.run(&["pipe", "retry", "p"]).code, 0);
    assert_eq!(annotations(), 0, "its worker begins anew by itself");
    plugin.program.write("pipe.json", &PIPE.replace("\"table\"", "\"autoIngest\": false, \"table\""));
    let said = plugin.run(&["-n", "lake", "pipe", "retry", "p"]);
    assert_eq!((said.code, annotations()), (0, 1), "{said:?}");
    let calls = plugin.read("calls");
    let last = calls.lines().last().unwrap();
    assert!(
        last.starts_with("--namespace=lake annotate pipes.longshore.dev p longshore.dev/run-again=20"),
        "{last}"
    );
    // Nothing was put back.
    plugin.program.write("status.json", &ended(68, "not in ERROR"));
    assert_eq!(plugin.run(&["pipe", "retry", "p"]).code, 1);
    assert_eq!(annotations(), 1);
}

#[test]
fn a_file_that_no_ledger_knows_is_explained_and_no_pod_is_made_for_a_pipe_that_cannot_know_it() {
    let plugin = Plugin::new(&ended(0, ""), "");
    let said = plugin.run(&["pipe", "why", "s3://b/d/a, b.csv"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("unknown: it is not listed yet"), "{said:?}");
    assert!(plugin.read("pod.json").contains("s3://b/d/a, b.csv"));
    fs::remove_file(plugin.program.path("pod.json")).unwrap();
    let said = plugin.run(&["pipe", "why", "s3://b/other/a.csv"]);
    assert!(said.err.contains("no path of its source matches it (s3://b/d/*)"), "{said:?}");
    assert_eq!(plugin.read("pod.json"), "");
    assert!(plugin.run(&["pipe", "why", "d/a.csv"]).code != 0);
}
