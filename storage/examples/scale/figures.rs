//! Figures beside their bounds, and how they are taken.

use std::time::Instant;

/// Whatever goes wrong ends the program.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Prints figures and remembers whether one was missed.
#[derive(Debug, Default)]
pub struct Figures {
    missed: usize,
}

impl Figures {
    /// A figure that must not be above its bound.
    pub fn bounded(&mut self, name: &str, value: f64, bound: f64, unit: &str) {
        let holds = value <= bound;
        self.missed += usize::from(!holds);
        let verdict = if holds { "" } else { "  MISSED" };
        println!("  {name:<58} {value:>10.2} {unit:<5} bound {bound:.2}{verdict}");
    }

    /// A figure without a bound.
    pub fn plain(&self, name: &str, value: f64, unit: &str) {
        println!("  {name:<58} {value:>10.2} {unit}");
    }

    /// Whether every bound holds.
    pub fn all_hold(&self) -> bool {
        self.missed == 0
    }
}

/// Milliseconds that `work` takes, with what it gives.
pub fn timed<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(f64, T)> {
    let start = Instant::now();
    let done = work()?;
    Ok((start.elapsed().as_secs_f64() * 1e3, done))
}

/// Milliseconds that this process has had a processor. It is told in hundredths of a second: to be taken over
/// many loads.
pub fn cpu_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, which may hold anything, ends with the last parenthesis; the state is the third field.
    let fields = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks =
        fields.split_whitespace().skip(11).take(2).map(|text| text.parse::<f64>().unwrap_or(f64::NAN));
    ticks.sum::<f64>() * 10.0
}

/// The middle one.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// MiB of this process's memory: `VmHWM:` is its peak, `VmRSS:` what it has now.
pub fn memory_mib(name: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    let kib: f64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(f64::NAN);
    kib / 1024.0
}

/// Sets the peak of memory back to what is used now.
pub fn forget_peak() -> Outcome<()> {
    Ok(std::fs::write("/proc/self/clear_refs", "5")?)
}
