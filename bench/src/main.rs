//! `longshore-bench`: loads the guide's data set and prints what it cost, beside decoding alone and a
//! plain copy in the same run.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};
use longshore_bench::baseline;
use longshore_bench::child::{self, Cost};
use longshore_bench::load::{LightServer, LoadRun, Measured};
use longshore_bench::pipe;
use longshore_bench::text;
use longshore_bench::user_behavior::{self, Expected, Options, Order};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Loads the data set user_behavior from a light local S3 server into a new table, and prints CPU
/// seconds, wall time, peak memory and bytes written, beside decoding alone and a plain copy.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Internal>,
    /// Rows in all files together.
    #[arg(long, default_value_t = 10_000_000)]
    rows: u64,
    /// Number of files.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    files: u32,
    /// Order of the rows: grouped (by user) or random.
    #[arg(long, default_value = "random")]
    order: Order,
    /// Seed of the data.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Memory budgets, such as 1GiB or 256MiB; one load each.
    #[arg(long, value_delimiter = ',', default_value = "1GiB,256MiB", value_parser = parse_bytes)]
    memory: Vec<u64>,
    /// Loads also this many times the rows and files (under the first budget); 1: not.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    scale: u32,
    /// Folder that keeps generated data.
    #[arg(long, default_value = "target/bench-data")]
    cache: PathBuf,
    /// Folder for tables and copies; emptied afterwards. Default: the system's folder for temporary files.
    #[arg(long)]
    work: Option<PathBuf>,
    /// The worker's program; default: longshore-worker beside this program.
    #[arg(long)]
    worker: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Internal {
    /// Decodes local files and drops the rows: the baseline's process.
    #[command(hide = true)]
    Decode { threads: usize, files: Vec<PathBuf> },
    /// Decodes CSV and NDJSON from memory to the table's types on one core, beside a memory copy.
    Text {
        /// Rows of each text.
        #[arg(long, default_value_t = 4_000_000)]
        rows: u32,
    },
    /// A pipe against its bounds: from an object's appearance to its rows, small files and listed keys a second,
    /// a million keys with a hundred new ones, the commit of the last batch beside that of the first.
    Pipe {
        /// Files of 10 KB that are loaded at once.
        #[arg(long, default_value_t = 4_000)]
        small_files: u64,
        /// Keys that are known and listed.
        #[arg(long, default_value_t = 1_000_000)]
        keys: u64,
        /// Batches of one file.
        #[arg(long, default_value_t = 10_000)]
        batches: u64,
    },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    match &arguments.command {
        Some(Internal::Decode { threads, files }) => {
            baseline::decode(files, *threads)?;
            return Ok(());
        }
        Some(Internal::Text { rows }) => return text::measure(*rows),
        Some(Internal::Pipe { small_files, keys, batches }) => {
            return pipe::measure(&pipe::Sizes { small_files: *small_files, keys: *keys, batches: *batches });
        }
        None => {}
    }
    let base = DataSet::prepare(&arguments, 1)?;
    let work = match &arguments.work {
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            tempfile::tempdir_in(folder)?
        }
        None => tempfile::tempdir()?,
    };
    let baselines = measure_baselines(&base, work.path())?;
    let mut loads = Vec::new();
    for memory in &arguments.memory {
        loads.push(measure_load(&arguments, &base, *memory, work.path())?);
    }
    if let (true, Some(memory)) = (arguments.scale > 1, arguments.memory.first()) {
        let larger = DataSet::prepare(&arguments, arguments.scale)?;
        loads.push(measure_load(&arguments, &larger, *memory, work.path())?);
    }
    print_costs(&base, &baselines, &loads);
    print_stages(&loads);
    Ok(())
}

/// A generated data set in the cache.
struct DataSet {
    root: PathBuf,
    bucket: String,
    expected: Expected,
}

impl DataSet {
    fn prepare(arguments: &Arguments, scale: u32) -> anyhow::Result<Self> {
        let options = Options {
            rows: arguments.rows * u64::from(scale),
            files: arguments.files * scale,
            order: arguments.order,
            seed: arguments.seed,
        };
        let order = format!("{:?}", options.order).to_lowercase();
        let bucket = format!("user-behavior-{}-{order}-{}-{}", options.rows, options.files, options.seed);
        eprintln!("data: {bucket}");
        let expected = user_behavior::generate(&options, &arguments.cache.join(&bucket))?;
        Ok(Self { root: arguments.cache.clone(), bucket, expected })
    }

    fn files(&self) -> Vec<PathBuf> {
        self.expected.files.iter().map(|file| self.root.join(&self.bucket).join(&file.name)).collect()
    }
}

struct Line {
    name: String,
    rows: u64,
    cost: Cost,
    written_bytes: u64,
}

fn measure_baselines(data: &DataSet, work: &Path) -> anyhow::Result<Vec<Line>> {
    let rows = data.expected.rows;
    let folder = tempfile::tempdir_in(work)?;
    // The copy goes first: it also brings the files into the page cache, for all alike.
    let copied = baseline::copy(&data.files(), folder.path())?;
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("decode").arg(threads.to_string()).args(data.files());
    let decoded = child::run(&mut command)?;
    for (name, finished) in [("cp", &copied), ("decode", &decoded)] {
        if finished.code != Some(0) {
            bail!("{name} ended with {:?}:\n{}", finished.code, finished.stderr);
        }
    }
    Ok(vec![
        Line { name: "plain copy".into(), rows, cost: copied.cost, written_bytes: data.expected.bytes() },
        Line { name: "decode only".into(), rows, cost: decoded.cost, written_bytes: 0 },
    ])
}

fn measure_load(
    arguments: &Arguments,
    data: &DataSet,
    memory: u64,
    work: &Path,
) -> anyhow::Result<(Line, Measured)> {
    let beside =
        |name: &str| -> anyhow::Result<PathBuf> { Ok(std::env::current_exe()?.with_file_name(name)) };
    let worker = arguments.worker.clone().map_or_else(|| beside("longshore-worker"), Ok)?;
    if !worker.exists() {
        bail!("{} does not exist; build it first or give --worker", worker.display());
    }
    let server = LightServer::start(&beside("longshore-light-s3")?, &data.root)?;
    let folder = tempfile::tempdir_in(work)?;
    let run = LoadRun {
        worker: &worker,
        endpoint: server.endpoint(),
        path: &format!("s3://{}/*.parquet", data.bucket),
        rows: data.expected.rows,
        memory,
        folder: folder.path().to_owned(),
    };
    let name = format!("load {} M rows, {} MiB", data.expected.rows / 1_000_000, memory >> 20);
    let measured = run.run().with_context(|| name.clone())?;
    let line = Line { name, rows: run.rows, cost: measured.cost, written_bytes: measured.written_bytes };
    Ok((line, measured))
}

fn print_costs(data: &DataSet, baselines: &[Line], loads: &[(Line, Measured)]) {
    println!(
        "{} rows, {} files, {} MB",
        data.expected.rows,
        data.expected.files.len(),
        data.expected.bytes() / 1_000_000
    );
    println!(
        "{:<28} {:>9} {:>9} {:>10} {:>12} {:>12} {:>10}",
        "", "CPU s", "wall s", "peak MiB", "written MB", "CPU ns/row", "x decode"
    );
    let decode = baselines.iter().find(|line| line.name.starts_with("decode"));
    let nanoseconds = |line: &Line| line.cost.cpu_seconds * 1e9 / line.rows.max(1) as f64;
    for line in baselines.iter().chain(loads.iter().map(|(line, _)| line)) {
        println!(
            "{:<28} {:>9.2} {:>9.2} {:>10.1} {:>12.1} {:>12.0} {:>10.2}",
            line.name,
            line.cost.cpu_seconds,
            line.cost.wall_seconds,
            line.cost.peak_bytes as f64 / 1_048_576.0,
            line.written_bytes as f64 / 1e6,
            nanoseconds(line),
            decode.map_or(f64::NAN, |decode| nanoseconds(line) / nanoseconds(decode)),
        );
    }
    if let [(first, _), rest @ ..] = loads {
        for (line, _) in rest {
            let cpu = nanoseconds(line) / nanoseconds(first);
            let peak = line.cost.peak_bytes as f64 / first.cost.peak_bytes.max(1) as f64;
            println!("{} against {}: CPU a row x {cpu:.2}, peak x {peak:.2}", line.name, first.name);
        }
    }
}

fn print_stages(loads: &[(Line, Measured)]) {
    println!("\nseconds by stage, summed over threads");
    for (line, measured) in loads {
        let stages: Vec<String> =
            measured.stages.iter().map(|(stage, seconds)| format!("{stage} {seconds:.2}")).collect();
        println!("{:<28} {}", line.name, stages.join(", "));
    }
}

/// Reads a size such as `1GiB`, `256MiB` or a number of bytes.
fn parse_bytes(text: &str) -> Result<u64, String> {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10), ("", 0)];
    let parsed = units.iter().find_map(|(unit, shift)| {
        let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_shl(*shift)
    });
    parsed.ok_or_else(|| format!("{text} is no size; write 1GiB, 256MiB or a number of bytes"))
}
