//! The image without registry or daemon: the same tree, user and entrypoint as the Dockerfile's last stage.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use longshore_e2e::repository;
use serde_json::{Value, json};

/// The last stage of the Dockerfile.
#[derive(Debug, Default)]
struct Stage {
    from: String,
    /// Source in the builder's `/image`, and target.
    copies: Vec<(String, String)>,
    user: String,
    entrypoint: Value,
}

fn last_stage(text: &str) -> Stage {
    let mut stage = Stage::default();
    for line in text.lines() {
        let (instruction, rest) = line.split_once(' ').unwrap_or((line, ""));
        match instruction {
            "FROM" => stage = Stage { from: rest.to_owned(), ..Stage::default() },
            _ if stage.from != "scratch" => {}
            "COPY" => {
                let paths = rest.strip_prefix("--from=builder /image").unwrap();
                let (source, target) = paths.split_once(' ').unwrap();
                stage.copies.push((source.to_owned(), target.to_owned()));
            }
            "USER" => stage.user = rest.to_owned(),
            "ENTRYPOINT" => stage.entrypoint = serde_json::from_str(rest).unwrap(),
            other => assert!(other.is_empty() || other == "#", "the tests do not know: {line}"),
        }
    }
    stage
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn in_archive(archive: &Path, member: &str, into: &Path) -> Value {
    output(Command::new("tar").arg("-C").arg(into).arg("-xf").arg(archive).arg(member));
    serde_json::from_slice(&std::fs::read(into.join(member)).unwrap()).unwrap()
}

#[test]
#[ignore = "needs the cluster's tools: make e2e"]
fn the_tests_image_is_what_the_dockerfile_says() {
    let stage = last_stage(&std::fs::read_to_string(repository().join("Dockerfile")).unwrap());
    assert_eq!(stage.from, "scratch");
    let folder = tempfile::tempdir().unwrap();
    // This very program stands for both: what matters here are the files around them.
    let programs = folder.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    for name in ["longshore-operator", "longshore-worker"] {
        std::fs::copy(std::env::current_exe().unwrap(), programs.join(name)).unwrap();
    }
    let image = repository().join("e2e/cluster/image");
    output(Command::new(image).arg(&programs).arg(folder.path()));
    let archive = folder.path().join("longshore.tar");

    let config = in_archive(&archive, "config.json", folder.path());
    assert_eq!(config["config"]["User"], json!(stage.user));
    assert_eq!(config["config"]["Entrypoint"], stage.entrypoint);
    assert_eq!(stage.user, "65532:65532", "numeric and not root");

    output(Command::new("tar").arg("-C").arg(folder.path()).arg("-xf").arg(&archive).arg("layer.tar"));
    let listed = output(Command::new("tar").arg("-tf").arg(folder.path().join("layer.tar")));
    let files: BTreeSet<&str> =
        listed.lines().map(|name| name.trim_start_matches('.')).filter(|name| !name.ends_with('/')).collect();
    let covers = |target: &str, file: &str| file == target || file.starts_with(&format!("{target}/"));
    for file in &files {
        let lines = stage.copies.iter().filter(|(_, target)| covers(target, file)).count();
        assert_eq!(lines, 1, "{file} must be copied by one line of the Dockerfile");
    }
    for (source, target) in &stage.copies {
        assert_eq!(source, target, "the tests' tree is the builder's /image");
        assert!(files.iter().any(|file| covers(target, file)), "{target} is not in the tests' tree");
    }
    for file in ["/longshore-operator", "/longshore-worker", "/etc/ssl/certs/ca-certificates.crt"] {
        assert!(files.contains(file), "{file}");
    }
    assert!(files.iter().any(|file| file.contains("ld-linux")), "the loader: {files:?}");
    assert!(files.iter().any(|file| file.ends_with("libc.so.6")), "the C library: {files:?}");
}
