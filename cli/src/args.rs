//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::pipe::PipeArgs;
use crate::table::TableArgs;

const EXAMPLES: &str = "\
Examples:
  # make a table and load it; again: nothing is loaded twice
  longshore apply -f table.yaml -f loadjob.yaml

  # every manifest of a folder, or from a pipe
  longshore apply -f manifests/
  cat loadjob.yaml | longshore apply -f -

  # what would it do? lists, reads and checks everything, and touches nothing
  longshore plan -f table.yaml -f loadjob.yaml

  # what became of it
  longshore get tables
  longshore get loadjobs -o wide
  longshore describe loadjob user-behavior

  # look into files before you write a Table
  longshore files 's3://bucket/folder/*.parquet' --schema
  longshore files data.parquet --rows 5

  # query tables, files and what became of the loads
  longshore sql 'SELECT * FROM user_behavior LIMIT 3'
  longshore sql 'SELECT LABEL, STATE, SINK_ROWS FROM information_schema.loads'
  longshore sql \"SELECT COUNT(*) FROM files('data/*.parquet')\" --format csv

  # load the files of a prefix as they appear, until Ctrl-C; what became of one of them
  longshore apply -f pipe.yaml
  longshore pipe why s3://bucket/folder/file.parquet

  # look after a table
  longshore table history user_behavior
  longshore table verify user_behavior --full
  longshore table vacuum user_behavior --dry-run

S3 keys are taken from <data-dir>/secrets/<name>/ (access-key-id, secret-access-key, session-token), from
AWS_ACCESS_KEY_ID and its fellows, or from the profile; never from a manifest. AWS_ENDPOINT_URL names an
S3-compatible store.";

/// Loads data from S3 into durable Delta Lake tables on this machine, with the manifests of a cluster.
#[derive(Debug, Parser)]
#[command(name = "longshore", version, after_help = EXAMPLES, propagate_version = true)]
pub struct Cli {
    /// Folder of tables, objects and secrets
    #[arg(
        long,
        global = true,
        env = "LONGSHORE_DATA_DIR",
        default_value = "./longshore-data",
        value_name = "DIR"
    )]
    pub data_dir: PathBuf,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the Tables, run the LoadJobs and the Pipes of manifests
    Apply(ApplyArgs),
    /// Say what the LoadJobs of manifests would do, and touch nothing
    Plan(PlanArgs),
    /// List objects, or print one
    Get(GetArgs),
    /// Show everything that is known of an object
    Describe(DescribeArgs),
    /// Preview Parquet files on S3 or on this machine, or show their columns as a Table would declare them
    Files(FilesArgs),
    /// Query tables, files and the history with SQL; without a statement: a prompt
    Sql(SqlArgs),
    /// Look after one table: its history, whether it is sound, space that can be freed
    Table(TableArgs),
    /// Ask a pipe's ledger: its files, why one is not loaded; put files back
    Pipe(PipeArgs),
    /// Print the completion script of a shell
    Completion {
        /// The shell
        shell: Shell,
    },
}

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Manifest, folder of manifests (*.yaml, *.yml, *.json), or - for standard input; may be repeated
    #[arg(short, long = "filename", required = true, num_args = 1.., value_name = "FILE|DIR")]
    pub filename: Vec<PathBuf>,
    /// Memory that a load may use, for instance 512Mi or 2Gi
    #[arg(long, default_value = "1Gi", value_name = "BYTES", value_parser = parse_bytes)]
    pub memory: u64,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Manifest, folder of manifests (*.yaml, *.yml, *.json), or - for standard input; may be repeated
    #[arg(short, long = "filename", required = true, num_args = 1.., value_name = "FILE|DIR")]
    pub filename: Vec<PathBuf>,
    /// Rows to show as they would be stored; default: spec.dryRun.rows, else 10
    #[arg(long, value_name = "N")]
    pub rows: Option<u32>,
    /// Rows that do not fit to show; default: spec.dryRun.errors, else 100
    #[arg(long, value_name = "N")]
    pub errors: Option<u32>,
    /// Form of the answer; default: text
    #[arg(short, long, value_name = "FORM")]
    pub output: Option<Output>,
    /// Memory that it may use, for instance 512Mi or 2Gi
    #[arg(long, default_value = "1Gi", value_name = "BYTES", value_parser = parse_bytes)]
    pub memory: u64,
}

/// Arguments of `get`.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// The kind
    pub kind: KindName,
    /// Name of one object; default: all
    pub name: Option<String>,
    /// Form of the answer; default: a table
    #[arg(short, long, value_name = "FORM")]
    pub output: Option<Output>,
}

/// Arguments of `describe`.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// The kind
    pub kind: KindName,
    /// Name of the object
    pub name: String,
}

/// Arguments of `files`.
#[derive(Debug, Args)]
pub struct FilesArgs {
    /// s3://bucket/key or a path of this machine; wildcards ? * [..] {a,b}, * never crosses /
    pub path: String,
    /// Show the columns, with the types that a Table would declare
    #[arg(long)]
    pub schema: bool,
    /// With --schema: a name whose values stand in the keys as name=value/; may be repeated
    #[arg(long, value_name = "NAME", requires = "schema")]
    pub columns_from_path: Vec<String>,
    /// Rows to show
    #[arg(long, default_value_t = 10, value_name = "N")]
    pub rows: usize,
    /// Endpoint of an S3-compatible store; default: AWS_ENDPOINT_URL, else AWS
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// Region
    #[arg(long)]
    pub region: Option<String>,
    /// http://endpoint/bucket/key instead of http://bucket.endpoint/key
    #[arg(long)]
    pub force_path_style: bool,
    /// Send unsigned requests
    #[arg(long, conflicts_with = "secret")]
    pub anonymous: bool,
    /// Take the keys from <data-dir>/secrets/NAME/
    #[arg(long, value_name = "NAME")]
    pub secret: Option<String>,
}

/// Arguments of `sql`.
#[derive(Debug, Args)]
pub struct SqlArgs {
    /// The query, for instance "SELECT * FROM user_behavior LIMIT 3"; absent: a prompt
    pub statement: Option<String>,
    /// Form of the answer; default: a table, with --output by the suffix of the file
    #[arg(long, value_name = "FORM")]
    pub format: Option<SqlForm>,
    /// Write the answer into this file, which must not be there yet
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Zone of now(), from_unixtime() and their kin: an IANA name or an offset
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    pub timezone: String,
}

/// Forms of the answer to a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SqlForm {
    /// Columns with a frame
    Table,
    /// CSV with a header
    Csv,
    /// One JSON object a line
    Json,
    /// A Parquet file
    Parquet,
}

/// Kinds by the names that `kubectl` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KindName {
    /// Table
    #[value(name = "tables", aliases = ["table", "lst", "Table"])]
    Tables,
    /// LoadJob
    #[value(name = "loadjobs", aliases = ["loadjob", "lj", "LoadJob"])]
    LoadJobs,
    /// Pipe
    #[value(name = "pipes", aliases = ["pipe", "lp", "Pipe"])]
    Pipes,
}

/// Forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table with every column
    Wide,
    /// The objects as YAML
    Yaml,
    /// The objects as JSON
    Json,
}

/// A number of bytes as Kubernetes writes it: `1048576`, `512Mi`, `2Gi`, `500M`.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 8] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
    ];
    let unit = UNITS.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor)));
    let (digits, factor) = unit.unwrap_or((text, 1));
    let number: Option<u64> = digits.trim().parse().ok();
    number
        .and_then(|number| number.checked_mul(factor))
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| "expected a number of bytes, for instance 512Mi or 2Gi".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn bytes_are_read_with_units() {
        assert_eq!(parse_bytes("1Gi"), Ok(1 << 30));
        assert_eq!(parse_bytes("500M"), Ok(500_000_000));
        assert_eq!(parse_bytes("42"), Ok(42));
        for text in ["", "Gi", "-1", "0", "1.5Gi", "99999999999Ti"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
