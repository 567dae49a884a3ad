//! The program in a folder of its own.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A data directory, manifests and an environment without anyone's S3 settings.
pub struct Program {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

/// What the program said.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Program {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new() }
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    /// Writes a manifest and gives its path.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_longshore"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars() {
            if name.starts_with("AWS_") || name.starts_with("LONGSHORE_") {
                command.env_remove(name);
            }
        }
        command
            .env("HOME", self.folder.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("LONGSHORE_DATA_DIR", self.data_dir())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Said {
        Said::of(&self.command(arguments).output().unwrap())
    }

    /// Applies manifests by path.
    pub fn apply(&self, paths: &[&Path]) -> Said {
        let mut arguments = vec![OsStr::new("apply")];
        for path in paths {
            arguments.push(OsStr::new("-f"));
            arguments.push(path.as_os_str());
        }
        self.run(arguments)
    }

    /// Applies what stands on standard input.
    pub fn apply_text(&self, text: &str) -> Said {
        let mut command = self.command(["apply", "-f", "-"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        Said::of(&child.wait_with_output().unwrap())
    }
}

impl Said {
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }
}

/// A Table `t` with a column `id INT`, a column `name VARCHAR(3)` and two buckets.
pub const TABLE: &str = "
apiVersion: longshore.dev/v1alpha1
kind: Table
metadata: {name: t}
spec:
  columns:
  - {name: id, type: INT}
  - {name: name, type: VARCHAR(3)}
  key: {columns: [id]}
  distribution: {hash: {columns: [id], buckets: 2}}
";

/// A LoadJob `j` into table `t`; `more` is appended to its spec (indented by two).
pub fn load_job(path: &str, more: &str) -> String {
    format!(
        "
apiVersion: longshore.dev/v1alpha1
kind: LoadJob
metadata: {{name: j}}
spec:
  table: t
  sources: [{{paths: [\"{path}\"]}}]
{more}
"
    )
}
