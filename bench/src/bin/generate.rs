//! `longshore-generate`: makes the user guide's data set.

use std::path::PathBuf;

use clap::Parser;
use longshore_bench::user_behavior::{self, Options, Order};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Makes the data set user_behavior as Parquet files, with expected.json beside them. A folder that
/// is whole with the same options is left as it is.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Rows in all files together.
    #[arg(long, default_value_t = 10_000_000)]
    rows: u64,
    /// Number of files.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    files: u32,
    /// Order of the rows: grouped (by user) or random.
    #[arg(long, default_value = "grouped")]
    order: Order,
    /// Seed of the random numbers.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for the files.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let Arguments { rows, files, order, seed, out } = Arguments::parse();
    let expected = user_behavior::generate(&Options { rows, files, order, seed }, &out)?;
    println!("{} rows in {} files, {} bytes, in {}", expected.rows, files, expected.bytes(), out.display());
    Ok(())
}
