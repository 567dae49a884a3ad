//! What the tests of loads share: one S3 server for all, and for each test a bucket, a table and a Secret of
//! its own.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use longshore_crds::source::{Credentials, S3, SecretRef, Source};
use longshore_crds::{
    Execution, LOAD_REQUEST_VERSION, LoadMode, LoadReport, LoadRequest, OnFileError, OnMissingColumn,
    SchemaDrift,
};
use longshore_s3server::{BackgroundServer, Server};
use longshore_storage::durable::Posix;
use longshore_storage::scan::scan;
use longshore_storage::schema::{Column, Compression, DefaultValue, Distribution, TableDefinition};
use longshore_storage::table::Table;
use longshore_storage::types::DataType;
use longshore_worker::load::{self, LoadContext};
use longshore_worker::metrics::Metrics;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// The one runtime of the test binary.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap()
});

/// The one server of the test binary.
pub static SERVER: LazyLock<BackgroundServer> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap().keep();
    Server::builder().data_dir(folder).credentials(ACCESS_KEY, SECRET_KEY).start_in_background().unwrap()
});

pub const ACCESS_KEY: &str = "AKIAWORKERTESTS";
pub const SECRET_KEY: &str = "worker-tests-secret-7f3a9c1e5b";

static NEXT_BUCKET: AtomicU32 = AtomicU32::new(0);

/// A bucket, a table's folder and a Secret.
pub struct World {
    pub bucket: String,
    pub folder: TempDir,
}

impl World {
    /// An empty bucket and no table yet.
    pub fn new() -> Self {
        let bucket = format!("bucket-{}", NEXT_BUCKET.fetch_add(1, Ordering::Relaxed));
        SERVER.create_bucket(&bucket).unwrap();
        let world = Self { bucket, folder: tempfile::tempdir().unwrap() };
        world.write_secret("s3", ACCESS_KEY, SECRET_KEY);
        world
    }

    /// A world whose table is created.
    pub fn with_table(definition: &TableDefinition) -> Self {
        let world = Self::new();
        Table::create(Arc::new(Posix), &world.root(), definition).unwrap();
        world
    }

    pub fn write_secret(&self, name: &str, access: &str, secret: &str) {
        mount_secret(&self.secrets().join(name), access, secret);
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("table")
    }

    pub fn secrets(&self) -> PathBuf {
        self.folder.path().join("secrets")
    }

    pub fn table(&self) -> Table {
        Table::open(Arc::new(Posix), &self.root()).unwrap()
    }

    pub fn put(&self, key: &str, bytes: impl AsRef<[u8]>) {
        SERVER.put(&self.bucket, key, bytes).unwrap();
    }

    pub fn put_batch(&self, key: &str, batch: &RecordBatch) {
        self.put(key, parquet_bytes(batch));
    }

    pub fn source(&self, pattern: &str) -> Source {
        Source {
            paths: vec![format!("s3://{}/{pattern}", self.bucket)],
            s3: S3 {
                region: Some("us-east-1".to_owned()),
                endpoint: Some(SERVER.endpoint()),
                force_path_style: true,
                credentials: Credentials {
                    secret_ref: Some(SecretRef { name: "s3".to_owned() }),
                    ..Credentials::default()
                },
            },
            ..Source::default()
        }
    }

    /// A request with the API's defaults.
    pub fn request(&self, label: &str, pattern: &str) -> LoadRequest {
        LoadRequest {
            version: LOAD_REQUEST_VERSION,
            table: "table".to_owned(),
            label: label.to_owned(),
            run: 1,
            mode: LoadMode::Append,
            partitions: Vec::new(),
            sources: vec![self.source(pattern)],
            strict_mode: true,
            max_filter_ratio: "0".to_owned(),
            on_missing_column: OnMissingColumn::Fail,
            on_file_error: OnFileError::Abort,
            max_skipped_files: None,
            dry_run: None,
            schema_drift: SchemaDrift::Ignore,
            allow_empty: false,
            timezone: "UTC".to_owned(),
            rejected_records_limit: 1000,
            execution: Execution { deadline: None, parallelism: 2, task_bytes: None },
        }
    }

    pub fn context(&self) -> LoadContext {
        LoadContext {
            table_root: self.root(),
            secrets_dir: Some(self.secrets()),
            memory_bytes: 256 << 20,
            metrics: Metrics::default(),
            cancel: CancellationToken::new(),
        }
    }

    /// Runs a load in this process.
    pub fn load(&self, request: LoadRequest) -> LoadReport {
        self.load_with(request, self.context())
    }

    pub fn load_with(&self, request: LoadRequest, context: LoadContext) -> LoadReport {
        RUNTIME.block_on(load::run(request, context))
    }

    /// All rows of the table, in no promised order.
    pub fn rows(&self) -> RecordBatch {
        let table = self.table();
        let segments = table.segments().unwrap();
        let batches: Vec<_> =
            scan(Arc::new(Posix), &self.root(), Arc::clone(table.schema()), &segments, None, None)
                .unwrap()
                .map(Result::unwrap)
                .collect();
        concat_batches(table.schema().arrow(), &batches).unwrap()
    }

    pub fn row_count(&self) -> usize {
        self.rows().num_rows()
    }

    /// One column as text, sorted; NULL as `NULL`.
    pub fn sorted(&self, column: &str) -> Vec<String> {
        let rows = self.rows();
        let mut values = texts(rows.column_by_name(column).unwrap());
        values.sort();
        values
    }
}

/// Values as text.
pub fn texts(array: &ArrayRef) -> Vec<String> {
    let options = arrow::util::display::FormatOptions::new().with_null("NULL");
    let formatter = arrow::util::display::ArrayFormatter::try_new(array, &options).unwrap();
    (0..array.len()).map(|row| formatter.value(row).to_string()).collect()
}

/// A batch of named columns, all nullable.
pub fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}

/// A Parquet file.
pub fn parquet_bytes(batch: &RecordBatch) -> Vec<u8> {
    parquet_bytes_with(batch, WriterProperties::default())
}

pub fn parquet_bytes_with(batch: &RecordBatch, properties: WriterProperties) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

pub fn column(name: &str, data_type: &str) -> Column {
    Column {
        name: name.to_owned(),
        data_type: DataType::parse(data_type).unwrap(),
        nullable: true,
        default: None,
    }
}

pub fn not_null(mut column: Column) -> Column {
    column.nullable = false;
    column
}

pub fn with_default(mut column: Column, default: DefaultValue) -> Column {
    column.default = Some(default);
    column
}

/// A Duplicate-key table on its first column, two buckets.
pub fn definition(columns: Vec<Column>) -> TableDefinition {
    let first = columns[0].name.clone();
    TableDefinition {
        columns,
        key: vec![first.clone()],
        order_by: Vec::new(),
        partition_by: longshore_storage::schema::PartitionBy::None,
        distribution: Distribution::Hash { columns: vec![first], buckets: 2 },
        compression: Compression::Zstd,
    }
}

/// Every file below a folder with its size: what is compared to see that nothing was written.
pub fn tree(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                found.insert(entry.path(), metadata.len());
            }
        }
    }
    found
}

/// Puts a Secret in place, or the next content of one, as the kubelet does: a reader sees the old keys or the new ones,
/// and never a file that is half written.
pub fn mount_secret(folder: &Path, access: &str, secret: &str) {
    std::fs::create_dir_all(folder).unwrap();
    let content = tempfile::Builder::new().prefix("..content-").tempdir_in(folder).unwrap().keep();
    for (name, text) in [("access-key-id", access), ("secret-access-key", secret)] {
        std::fs::write(content.join(name), text).unwrap();
        let link = folder.join(name);
        if !link.exists() {
            symlink(Path::new("..data").join(name), link).unwrap();
        }
    }
    let next = folder.join("..next");
    symlink(content.file_name().unwrap(), &next).unwrap();
    std::fs::rename(next, folder.join("..data")).unwrap();
}
