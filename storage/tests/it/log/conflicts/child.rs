//! A process that commits when it is told to: this test binary, started again.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore_storage::durable::FileSystem;
use serde::{Deserialize, Serialize};

use super::delayed::{Delayed, StopAt};
use super::setting::{Kind, Prepared, open};

/// How a line begins that is meant for the test: libtest writes others.
const MARK: &str = "@@ ";

/// What a process is to do.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    pub root: PathBuf,
    pub kind: Kind,
    pub other: Kind,
    pub role: usize,
    pub seed: u64,
    /// Wait by chance at each call.
    pub delays: bool,
    /// Where to stop: how the call begins, and whether after it.
    pub stop_at: Option<(String, bool)>,
}

/// Run by other tests, as a process of its own: reads orders from its input until it ends.
#[test]
#[ignore = "is started by the tests of conflicts"]
fn child_of_conflicts() {
    while let Some(line) = told() {
        let order: Order = serde_json::from_str(&line).unwrap();
        let volume = Arc::new(Delayed::new(order.seed));
        let files: Arc<dyn FileSystem> = Arc::clone(&volume) as Arc<dyn FileSystem>;
        let mut table = open(files, &order.root);
        let prepared = Prepared::new(&mut table, order.kind, order.role, order.other);
        say(&prepared.numbers());
        assert_eq!(told().unwrap(), "go\n");
        if order.delays {
            volume.arm();
        }
        if let Some((begins, after)) = order.stop_at {
            volume.stop_at(StopAt { begins, after });
        }
        say(&prepared.run(&mut table));
    }
}

/// A line from the test; `None`: there are no more orders.
fn told() -> Option<String> {
    let mut line = String::new();
    (std::io::stdin().read_line(&mut line).unwrap() > 0).then_some(line)
}

fn say(value: &impl Serialize) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{MARK}{}", serde_json::to_string(value).unwrap()).unwrap();
    out.flush().unwrap();
}

/// Such a process, from outside.
pub struct Writer {
    process: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Writer {
    pub fn start() -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "log::conflicts::child::child_of_conflicts", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, input, output }
    }

    /// Gives an order; it prepares until it is told to go.
    pub fn order(&mut self, order: &Order) {
        self.tell(&serde_json::to_string(order).unwrap());
    }

    /// Waits until it is prepared; the numbers of its claim and its epoch.
    pub fn prepared(&mut self) -> (i64, i64) {
        self.hear()
    }

    pub fn go(&mut self) {
        self.tell("go");
    }

    /// Waits for its end; how its commit ended.
    pub fn outcome(&mut self) -> String {
        self.hear()
    }

    /// Waits until it has stopped itself.
    pub fn wait_until_stopped(&self) {
        let stat = Path::new("/proc").join(self.process.id().to_string()).join("stat");
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let text = std::fs::read_to_string(&stat).unwrap();
            // The state follows the name, which ends with the last parenthesis.
            let state = text.rsplit_once(") ").unwrap().1.chars().next().unwrap();
            if state == 'T' {
                return;
            }
            assert!(Instant::now() < until, "the writer is in state {state} and did not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Continues a process that has stopped.
    pub fn resume(&mut self) {
        let command = format!("kill -CONT {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success());
        self.tell("go on");
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    fn hear<T: for<'a> Deserialize<'a>>(&mut self) -> T {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the writer has died");
            // libtest names the test in front of its first output.
            if let Some((_, text)) = line.split_once(MARK) {
                return serde_json::from_str(text).unwrap();
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.input.take());
        // A process that stopped would never see the end of its input.
        if std::thread::panicking() && self.process.kill().is_err() {
            eprintln!("a writer could not be ended");
        }
        self.process.wait().unwrap();
    }
}
