//! Runs a program and measures what it cost.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What a process cost from its start to its end.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// CPU time of all its threads, user and system, in seconds; exact to the clock tick (10 ms).
    pub cpu_seconds: f64,
    /// Time from start to end in seconds.
    pub wall_seconds: f64,
    /// The most memory it had resident, in bytes.
    pub peak_bytes: u64,
}

/// How often the process is looked at.
const INTERVAL: Duration = Duration::from_millis(3);
/// Ticks a second in `/proc/<pid>/stat`; fixed at 100 in the kernel's interface.
const TICKS_A_SECOND: f64 = 100.0;

/// How a measured process ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; None when a signal ended it.
    pub code: Option<i32>,
    /// Its cost.
    pub cost: Cost,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// Runs the command to its end.
///
/// The figures come from `/proc/<pid>`: CPU time when the process has ended and is not yet reaped,
/// memory as the kernel's high-water mark of this program's own address space. (The `rusage` of
/// `wait4` would count the memory of the parent at the time of the fork.)
pub fn run(command: &mut Command) -> std::io::Result<Finished> {
    let begin = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let stderr = child.stderr.take();
    let reader = std::thread::spawn(move || stderr.map(std::io::read_to_string).transpose());
    let mut cost = watch(&child);
    let status = child.wait()?;
    cost.wall_seconds = begin.elapsed().as_secs_f64();
    let stderr =
        reader.join().map_err(|_| std::io::Error::other("the reader of standard error ended early"))??;
    Ok(Finished { code: status.code(), cost, stderr: stderr.unwrap_or_default() })
}

/// Looks at the process until it has ended; leaves it to be reaped.
fn watch(child: &Child) -> Cost {
    let folder = PathBuf::from(format!("/proc/{}", child.id()));
    let mut cost = Cost::default();
    loop {
        if let Ok(status) = std::fs::read_to_string(folder.join("status")) {
            cost.peak_bytes = peak_bytes(&status).unwrap_or(cost.peak_bytes);
        }
        let Ok(stat) = std::fs::read_to_string(folder.join("stat")) else { return cost };
        let Some((state, ticks)) = state_and_ticks(&stat) else { return cost };
        cost.cpu_seconds = ticks as f64 / TICKS_A_SECOND;
        if matches!(state, 'Z' | 'X') {
            return cost;
        }
        std::thread::sleep(INTERVAL);
    }
}

/// The high-water mark of resident memory in `/proc/<pid>/status`.
fn peak_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// State and CPU ticks in `/proc/<pid>/stat`; the name in parentheses may hold anything.
fn state_and_ticks(stat: &str) -> Option<(char, u64)> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some((fields.first()?.chars().next()?, ticks(11)? + ticks(12)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_measured() {
        let script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo told >&2; exit 3";
        let finished = run(Command::new("sh").args(["-c", script])).unwrap();
        assert_eq!(finished.code, Some(3));
        assert_eq!(finished.stderr, "told\n");
        assert!(finished.cost.cpu_seconds > 0.0 && finished.cost.wall_seconds > 0.0);
        assert!(finished.cost.peak_bytes > 100_000);
    }

    #[test]
    fn a_name_with_parentheses_is_no_trouble() {
        let stat = "12 (a) b) (c)) Z 1 1 1 0 -1 4 0 0 0 0 150 25 0 0 20 0 1 0 5 0 0";
        assert_eq!(state_and_ticks(stat), Some(('Z', 175)));
    }
}
