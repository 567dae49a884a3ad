//! The formats, and a process that writes their files.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::{LazyLock, Mutex};

use longshore_crds::LoadRequest;
use longshore_crds::format::{CsvOptions, Format};
use serde_json::{Value, json};

use crate::oracles::interpreter;
use crate::world::World;

/// A format of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    Parquet,
    Orc,
    Csv,
    Json,
    Avro,
}

use FileFormat::{Avro, Csv, Json, Orc, Parquet};

/// All formats, in the order of the table in the documentation.
pub const ALL: &[FileFormat] = &[Parquet, Orc, Csv, Json, Avro];
/// Those whose files say which columns they have, CSV by its header.
pub const NAMED: &[FileFormat] = &[Parquet, Orc, Csv, Avro];
/// Those with types of their own.
pub const COLUMNAR: &[FileFormat] = &[Parquet, Orc, Avro];
/// Text.
pub const TEXT: &[FileFormat] = &[Csv, Json];

impl FileFormat {
    /// Its suffix, without the dot; as well its name in a request to the writer.
    pub fn suffix(self) -> &'static str {
        match self {
            Parquet => "parquet",
            Orc => "orc",
            Csv => "csv",
            Json => "json",
            Avro => "avro",
        }
    }

    /// What a source must state to read the writer's files under any name.
    pub fn stated(self) -> Format {
        match self {
            Parquet => Format::Parquet(Default::default()),
            Orc => Format::Orc(Default::default()),
            Csv => Format::Csv(CsvOptions { header: true, ..CsvOptions::default() }),
            Json => Format::Json(Default::default()),
            Avro => Format::Avro(Default::default()),
        }
    }

    /// A request for files of this format, with the API's defaults.
    pub fn request(self, world: &World, label: &str, pattern: &str) -> LoadRequest {
        let mut request = world.request(label, pattern);
        request.sources[0].format = (self == Csv).then(|| self.stated());
        request
    }

    /// The number by which a row is named, of rows that are counted from 1: a header of CSV is a line.
    pub fn row_number(self, row: u64) -> u64 {
        row + u64::from(self == Csv)
    }
}

/// Writes a file. Columns are names with ` int` or ` text` behind.
pub fn file(format: FileFormat, columns: &[&str], rows: &[Vec<Value>]) -> Vec<u8> {
    let columns: Vec<Vec<&str>> = columns.iter().map(|column| column.split(' ').collect()).collect();
    let answer =
        WRITER.lock().unwrap().ask(&json!({"format": format.suffix(), "columns": columns, "rows": rows}));
    hex::decode(answer.trim()).unwrap()
}

/// One process writes the files of all tests: to start it takes longer than to write them.
static WRITER: LazyLock<Mutex<Writer>> = LazyLock::new(|| Mutex::new(Writer::start()));

struct Writer {
    process: Child,
    answers: BufReader<ChildStdout>,
}

impl Writer {
    fn start() -> Self {
        let mut process =
            interpreter("writer.py").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { process, answers }
    }

    fn ask(&mut self, request: &Value) -> String {
        writeln!(self.process.stdin.as_mut().unwrap(), "{request}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        assert!(!answer.is_empty(), "the writer ended at {request}");
        answer
    }
}
