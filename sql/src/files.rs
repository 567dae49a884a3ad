//! `files('s3://…', format => …)`: rows of files that are in no table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::sqlparser::tokenizer::Token;
use longshore_crds::source::{Credentials, Format, S3, SecretRef, Source};
use longshore_storage::schema::TableSchema;
use longshore_worker::decode::{self, DataFile, FileContext, Read};
use longshore_worker::source::{ConnectContext, ListedObject, PathPattern, SourceError, Store};

use crate::error::SqlError;
use crate::table::blocking_rows;

/// Bytes that one reader may hold.
const READER_BYTES: usize = 64 << 20;
/// Bytes of a block of records.
const BLOCK_BYTES: usize = 2 << 20;
/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// A call of `files(…)`.
#[derive(Debug, Clone)]
pub(crate) struct FilesCall {
    /// `s3://…` or a path of this machine, with wildcards.
    pub(crate) path: String,
    format: Option<Format>,
    s3: S3,
}

impl FilesCall {
    /// Reads the arguments: a path, then `name => value` or `"name" = "value"`.
    pub(crate) fn read(tokens: &[Token]) -> Result<Self, SqlError> {
        let mut path = None;
        let mut properties = BTreeMap::new();
        for argument in tokens.split(|token| *token == Token::Comma) {
            match argument {
                [] => {}
                [value] if path.is_none() => path = Some(text(value)?),
                [name, Token::RArrow | Token::Eq, value] => {
                    properties.insert(text(name)?.to_lowercase(), text(value)?);
                }
                other => {
                    let written: String = other.iter().map(ToString::to_string).collect();
                    let message = format!("{written} is no argument; write name => 'value'");
                    return Err(SqlError::FilesCall(message));
                }
            }
        }
        let path = path.or_else(|| properties.remove("path"));
        let path = path.ok_or_else(|| SqlError::FilesCall("it takes a path first".to_owned()))?;
        let s3 = s3(&mut properties)?;
        Ok(Self { path, format: format(properties)?, s3 })
    }
}

fn text(token: &Token) -> Result<String, SqlError> {
    match token {
        Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => Ok(text.clone()),
        Token::Number(digits, _) => Ok(digits.clone()),
        Token::Word(word) => Ok(word.value.clone()),
        other => Err(SqlError::FilesCall(format!("{other} is no value; write it in quotes"))),
    }
}

fn s3(properties: &mut BTreeMap<String, String>) -> Result<S3, SqlError> {
    if let Some(name) =
        properties.keys().find(|name| name.ends_with("_key") || name.ends_with("session_token"))
    {
        return Err(SqlError::FilesCall(format!(
            "{name} has no place in a statement, where others read it; put keys into <data-dir>/secrets/NAME/ and \
             write secret => 'NAME', or into the environment"
        )));
    }
    let mut take = |names: [&str; 2]| names.into_iter().find_map(|name| properties.remove(name));
    let flag = |value: Option<String>| value.is_some_and(|value| value.eq_ignore_ascii_case("true"));
    Ok(S3 {
        region: take(["region", "aws.s3.region"]),
        endpoint: take(["endpoint", "aws.s3.endpoint"]),
        force_path_style: flag(take(["force_path_style", "aws.s3.enable_path_style_access"])),
        credentials: Credentials {
            secret_ref: take(["secret", "secret"]).map(|name| SecretRef { name }),
            anonymous: flag(take(["anonymous", "anonymous"])),
            assume_role: None,
        },
    })
}

/// The format with its options: `csv.column_separator`, or without `csv.`; the names of a manifest do too.
fn format(mut properties: BTreeMap<String, String>) -> Result<Option<Format>, SqlError> {
    let name = properties.remove("format").map(|name| name.to_lowercase());
    let Some(name) = name else {
        return match properties.keys().next() {
            None => Ok(None),
            Some(option) => {
                Err(SqlError::FilesCall(format!("{option} needs a format; write format => 'csv'")))
            }
        };
    };
    let mut options = serde_json::Map::new();
    for (option, value) in properties {
        let option = option.strip_prefix(&format!("{name}.")).unwrap_or(&option).to_owned();
        let value = match value.parse::<u32>() {
            Ok(number) if option.contains("header") || option.contains("bytes") => number.into(),
            _ if value.eq_ignore_ascii_case("true") => true.into(),
            _ if value.eq_ignore_ascii_case("false") => false.into(),
            _ => value.into(),
        };
        options.insert(camel_case(&option), value);
    }
    let document = serde_json::json!({ name: options });
    serde_json::from_value(document).map(Some).map_err(|error| SqlError::FilesCall(error.to_string()))
}

/// `skip_header` as `skipHeader`.
fn camel_case(name: &str) -> String {
    let mut out = String::new();
    for (index, part) in name.split('_').enumerate() {
        match part.chars().next() {
            Some(first) if index > 0 => {
                out.extend(first.to_uppercase());
                out.push_str(&part[first.len_utf8()..]);
            }
            _ => out.push_str(part),
        }
    }
    out
}

/// Files of one schema: that of the first.
pub(crate) struct Files {
    source: Arc<Source>,
    table: Arc<TableSchema>,
    store: Arc<Store>,
    listed: Arc<Vec<ListedObject>>,
    schema: SchemaRef,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("files", &self.listed.len()).finish_non_exhaustive()
    }
}

impl Files {
    /// Lists the files of a call, and opens the first for its columns.
    pub(crate) async fn open(call: FilesCall, context: &ConnectContext) -> Result<Self, SqlError> {
        let pattern = PathPattern::parse(&call.path)?;
        let store = if pattern.is_local() {
            Store::local(context)
        } else {
            Store::connect(&call.s3, context).await?
        };
        let listed = store.list_all(std::slice::from_ref(&pattern)).await?;
        if listed.is_empty() {
            return Err(SourceError::no_matching_files([&call.path]).into());
        }
        let source = Source { paths: vec![call.path], s3: call.s3, format: call.format, ..Source::default() };
        let (source, store, listed) = (Arc::new(source), Arc::new(store), Arc::new(listed));
        let table = Arc::new(crate::table::empty_schema());
        let first = {
            let (source, store, listed, table) =
                (Arc::clone(&source), Arc::clone(&store), Arc::clone(&listed), Arc::clone(&table));
            // The decoder blocks on the bytes that the runtime fetches.
            tokio::task::spawn_blocking(move || open_file(&source, &table, &store, &listed[0]))
        };
        let first = first.await.map_err(|error| DataFusionError::External(Box::new(error)))??;
        Ok(Self { source, table, store, listed, schema: Arc::clone(first.schema()) })
    }

    /// Names of the columns.
    pub(crate) fn columns(&self) -> impl Iterator<Item = String> {
        self.schema.fields().iter().map(|field| field.name().clone())
    }
}

fn open_file(
    source: &Source,
    table: &Arc<TableSchema>,
    store: &Store,
    listed: &ListedObject,
) -> Result<Arc<dyn DataFile>, SqlError> {
    Ok(decode::open(
        store.object(&listed.planned(0)),
        FileContext { source, table, strict: false, now_micros: 0 },
    )?)
}

#[async_trait]
impl TableProvider for Files {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let columns = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let mut wanted = columns.clone();
        wanted.sort_unstable();
        wanted.dedup();
        let schema = Arc::new(self.schema.project(&columns)?);
        let order: Vec<usize> =
            columns.iter().map(|column| wanted.partition_point(|other| other < column)).collect();
        let names: Vec<String> =
            wanted.iter().map(|&index| self.schema.field(index).name().clone()).collect();
        let (source, table, store, listed) = (
            Arc::clone(&self.source),
            Arc::clone(&self.table),
            Arc::clone(&self.store),
            Arc::clone(&self.listed),
        );
        let output = Arc::clone(&schema);
        blocking_rows(state, &schema, limit, 1, move |_, send| {
            for object in listed.iter() {
                let file = open_file(&source, &table, &store, object).map_err(external)?;
                let mut indices = Vec::with_capacity(names.len());
                for name in &names {
                    indices.push(place_of(file.as_ref(), name)?);
                }
                let mut sorted = indices.clone();
                sorted.sort_unstable();
                let read = Read {
                    columns: sorted.clone(),
                    dictionary_columns: Vec::new(),
                    batch_rows: BATCH_ROWS,
                    budget_bytes: READER_BYTES,
                    block_bytes: BLOCK_BYTES,
                };
                let mut parts = file.parts(Arc::new(read)).map_err(external)?;
                while let Some(part) = parts.next() {
                    let mut reader = part.map_err(external)?.start().map_err(external)?;
                    while let Some(decoded) = reader.next(0) {
                        let batch = decoded.map_err(external)?.batch;
                        let place = |wanted: usize| sorted.partition_point(|other| *other < indices[wanted]);
                        let batch =
                            batch.project(&order.iter().map(|wanted| place(*wanted)).collect::<Vec<_>>())?;
                        if !send(crate::table::fitted(&batch, &output)?) {
                            return Ok(());
                        }
                    }
                }
            }
            Ok(())
        })
    }
}

fn place_of(file: &dyn DataFile, name: &str) -> EngineResult<usize> {
    let found = file.schema().fields().iter().position(|field| field.name().eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        DataFusionError::Execution(format!(
            "file {} has no column {name}, which the first file has",
            file.name()
        ))
    })
}

fn external(error: impl Into<SqlError>) -> DataFusionError {
    DataFusionError::External(Box::new(error.into()))
}
