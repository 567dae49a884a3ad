//! Real worker processes: started with a request, killed at an instant.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::world::World;

static NEXT_REQUEST: AtomicU32 = AtomicU32::new(0);

/// `longshore-worker <name>` on the world's table; its report goes to standard output.
pub fn command(world: &World, name: &str, request: &impl Serialize) -> Command {
    // A file of its own: a twin that starts while the file is written again would read half of it.
    let number = NEXT_REQUEST.fetch_add(1, Ordering::Relaxed);
    let path = world.folder.path().join(format!("request-{number}.json"));
    std::fs::write(&path, serde_json::to_vec(request).unwrap()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_longshore-worker"));
    command
        .args([name, "--memory", "134217728"])
        .arg("--request")
        .arg(&path)
        .arg("--table-dir")
        .arg(world.root())
        .arg("--secrets-dir")
        .arg(world.secrets())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// Starts it.
pub fn spawn(world: &World, name: &str, request: &impl Serialize) -> Child {
    command(world, name, request).spawn().unwrap()
}

/// Kills after `delay` unless the process ended before; its exit code if it ended by itself. What it prints must fit
/// a pipe's buffer.
pub fn kill_after(mut child: Child, delay: Duration) -> Option<i32> {
    let begin = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if begin.elapsed() >= delay {
            child.kill().unwrap();
            return child.wait().unwrap().code();
        }
        std::thread::sleep(Duration::from_micros(200));
    }
}
