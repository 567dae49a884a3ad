//! Power cuts on real file systems, and two clients of one network volume: what the tests in memory assume
//! of a volume, tried on real ones. Needs root; `run` beside this crate starts it.

#[cfg(target_os = "linux")]
mod blocks;
#[cfg(target_os = "linux")]
mod cli;
#[cfg(target_os = "linux")]
mod clients;
#[cfg(target_os = "linux")]
mod model;
#[cfg(target_os = "linux")]
mod table;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    cli::main()
}

#[cfg(not(target_os = "linux"))]
fn main() -> std::process::ExitCode {
    eprintln!("longshore: these tests need Linux: FUSE, loop devices, ext4 and xfs");
    std::process::ExitCode::from(2)
}
