//! How the files of a source are written: `sources[].format`.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A file format with its options. A stated format is taken whatever the files are called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Format {
    /// Apache Parquet: `parquet: {}`.
    Parquet(ParquetOptions),
    /// Apache ORC: `orc: {}`.
    Orc(OrcOptions),
    /// Apache Avro object container files: `avro: {}`.
    Avro(AvroOptions),
    /// Text with a separator between fields and a delimiter after records.
    Csv(CsvOptions),
    /// JSON: one object a line, objects one after the other, or one array.
    Json(JsonOptions),
}

/// Options of Parquet: none so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParquetOptions {}

/// Options of ORC: none so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrcOptions {}

/// Options of Avro: none so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AvroOptions {}

/// How a CSV file is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.header) && self.header && has(self.skipHeader) && self.skipHeader > 0)").message("state header (the first record names the columns) or skipHeader (records to leave out), not both"))]
pub struct CsvOptions {
    /// What stands between two fields: 1 to 50 bytes after escapes (`\t`, `\n`, `\x01`).
    #[serde(default = "tab")]
    #[schemars(length(min = 1, max = 200))]
    pub column_separator: String,
    /// What ends a record: 1 to 50 bytes after escapes. With the default, a CR before the LF is dropped.
    #[serde(default = "line_feed")]
    #[schemars(length(min = 1, max = 200))]
    pub row_delimiter: String,
    /// One byte around fields that hold a separator or a delimiter; doubled within, it stands for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4))]
    pub enclose: Option<String>,
    /// One byte that makes the byte after it part of the value, within an enclosure and outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4))]
    pub escape: Option<String>,
    /// Whether blanks around fields are dropped; those within an enclosure stay.
    #[serde(default)]
    pub trim_space: bool,
    /// Records at the beginning of each file that are left out.
    #[serde(default)]
    pub skip_header: u32,
    /// Whether the first record of each file names its columns.
    #[serde(default)]
    pub header: bool,
    /// The text that stands for NULL.
    #[serde(default = "null_value")]
    #[schemars(length(max = 64))]
    pub null_value: String,
    /// What happens to a record with more or fewer fields than columns.
    #[serde(default)]
    pub on_column_mismatch: OnColumnMismatch,
    /// A longer record is filtered. Bytes.
    #[serde(default = "max_record_bytes")]
    #[schemars(range(min = 1_024, max = 1_073_741_824))]
    pub max_record_bytes: u32,
    /// How the files are compressed.
    #[serde(default)]
    pub compression: TextCompression,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            column_separator: tab(),
            row_delimiter: line_feed(),
            enclose: None,
            escape: None,
            trim_space: false,
            skip_header: 0,
            header: false,
            null_value: null_value(),
            on_column_mismatch: OnColumnMismatch::default(),
            max_record_bytes: max_record_bytes(),
            compression: TextCompression::default(),
        }
    }
}

/// How a JSON file is read. The order is: the outer array is stripped, then the root is taken, then the paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JsonOptions {
    /// Whether each element of the array that is the document is a row.
    #[serde(default)]
    pub strip_outer_array: bool,
    /// Path of the part of a document that holds the row or, with `stripOuterArray`, the rows: `$.data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub json_root: Option<String>,
    /// Paths of the values: the first feeds the first name of `columns`, and so on. Empty: keys feed the
    /// columns of their name, case matters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1000), inner(length(min = 1, max = 1024)))]
    pub json_paths: Vec<String>,
    /// A longer document is filtered. Bytes.
    #[serde(default = "max_record_bytes")]
    #[schemars(range(min = 1_024, max = 1_073_741_824))]
    pub max_record_bytes: u32,
    /// How the files are compressed.
    #[serde(default)]
    pub compression: TextCompression,
}

impl Default for JsonOptions {
    fn default() -> Self {
        Self {
            strip_outer_array: false,
            json_root: None,
            json_paths: Vec::new(),
            max_record_bytes: max_record_bytes(),
            compression: TextCompression::default(),
        }
    }
}

/// What happens to a record whose number of fields is not the number of columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnColumnMismatch {
    /// It is filtered.
    #[default]
    Filter,
    /// Columns without a field are NULL; a record with too many fields is filtered.
    PadWithNull,
    /// Fields without a column are left out; a record with too few fields is filtered.
    IgnoreExtra,
    /// The load fails and names file and record.
    Fail,
}

/// How a text file is compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TextCompression {
    /// By suffix: `.gz`, `.bz2`, `.zst`, `.lz4`, `.deflate`, `.snappy`; none with another.
    #[default]
    Auto,
    /// Not at all, whatever the suffix.
    None,
    /// gzip, one member or several.
    Gzip,
    /// bzip2.
    Bzip2,
    /// Zstandard frames.
    Zstd,
    /// LZ4 frames.
    Lz4,
    /// zlib or raw deflate.
    Deflate,
    /// Snappy: framed, or as Hadoop writes it.
    Snappy,
}

fn tab() -> String {
    "\\t".to_owned()
}

fn line_feed() -> String {
    "\\n".to_owned()
}

fn null_value() -> String {
    "\\N".to_owned()
}

fn max_record_bytes() -> u32 {
    64 << 20
}
