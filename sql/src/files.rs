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
use longshore_crds::InferFrom;
use longshore_crds::source::{Credentials, Format, S3, SecretRef};
use longshore_expression::zone::Zone;
use longshore_worker::infer::FileRows;
use longshore_worker::source::{ConnectContext, PathPattern, SourceError, Store};

use crate::error::SqlError;
use crate::table::blocking_rows;

/// A call of `files(…)`.
#[derive(Debug, Clone)]
pub(crate) struct FilesCall {
    /// `s3://…` or a path of this machine, with wildcards.
    pub(crate) path: String,
    format: Option<Format>,
    /// Names whose values stand in the keys.
    columns_from_path: Vec<String>,
    /// Whether types of texts are guessed.
    guess: bool,
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
        let names = properties.remove("columns_from_path").unwrap_or_default();
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        let columns_from_path = names.map(str::to_owned).collect();
        let guess = properties.remove("auto_detect_types");
        let guess = guess.is_none_or(|value| !value.eq_ignore_ascii_case("false"));
        Ok(Self { path, format: format(properties)?, columns_from_path, guess, s3 })
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
            // A list, such as that of `jsonPaths`.
            _ if value.starts_with('[') => {
                serde_json::from_str(&value).unwrap_or_else(|_| value.clone().into())
            }
            _ => value.into(),
        };
        let field = camel_case(&option);
        // What StarRocks asks of other stores, and of its sampling, means nothing here.
        let is_foreign = option.contains('.') || option.starts_with("auto_detect_");
        if !known(&name).contains(&field.as_str()) {
            if is_foreign {
                continue;
            }
            return Err(SqlError::FilesCall(format!("{option} is no option of format {name}")));
        }
        options.insert(field, value);
    }
    let document = serde_json::json!({ name: options });
    serde_json::from_value(document).map(Some).map_err(|error| SqlError::FilesCall(error.to_string()))
}

/// The options of a format, as a manifest names them.
fn known(format: &str) -> &'static [&'static str] {
    match format {
        "csv" => &[
            "columnSeparator",
            "rowDelimiter",
            "enclose",
            "escape",
            "trimSpace",
            "skipHeader",
            "header",
            "nullValue",
            "onColumnMismatch",
            "maxRecordBytes",
            "compression",
        ],
        "json" => &["stripOuterArray", "jsonRoot", "jsonPaths", "maxRecordBytes", "compression"],
        _ => &[],
    }
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

/// Files with the columns of all of them.
#[derive(Debug)]
pub(crate) struct Files {
    rows: Arc<FileRows>,
}

impl Files {
    /// Lists the files of a call, and reads their columns.
    pub(crate) async fn open(
        call: FilesCall,
        zone: Zone,
        context: &ConnectContext,
    ) -> Result<Self, SqlError> {
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
        let guess = call.guess;
        let from = InferFrom {
            paths: vec![call.path],
            s3: call.s3,
            format: call.format,
            columns_from_path: call.columns_from_path,
            columns: Vec::new(),
        };
        let cancel = context.cancel.clone();
        // The decoder blocks on the bytes that the runtime fetches.
        let rows =
            tokio::task::spawn_blocking(move || FileRows::open(&from, guess, (store, listed), zone, &cancel));
        let rows = rows.await.map_err(|error| DataFusionError::External(Box::new(error)))??;
        Ok(Self { rows: Arc::new(rows) })
    }

    /// Names of the columns.
    pub(crate) fn columns(&self) -> impl Iterator<Item = String> {
        self.rows.schema().fields().iter().map(|field| field.name().clone())
    }
}

#[async_trait]
impl TableProvider for Files {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.rows.schema())
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
        let all = self.rows.schema();
        let columns = projection.cloned().unwrap_or_else(|| (0..all.fields().len()).collect());
        let schema = Arc::new(all.project(&columns)?);
        let (rows, output) = (Arc::clone(&self.rows), Arc::clone(&schema));
        blocking_rows(state, &schema, limit, 1, move |_, send| {
            let mut failed = None;
            rows.read(&columns, &mut |batch| match crate::table::fitted(&batch, &output) {
                Ok(batch) => send(batch),
                Err(error) => {
                    failed = Some(error);
                    false
                }
            })
            .map_err(|error| DataFusionError::External(Box::new(SqlError::from(error))))?;
            failed.map_or(Ok(()), Err)
        })
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::MySqlDialect;
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::*;

    fn tokens(text: &str) -> Vec<Token> {
        let tokens = Tokenizer::new(&MySqlDialect {}, text).tokenize().unwrap();
        tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect()
    }

    fn call(text: &str) -> Result<FilesCall, SqlError> {
        FilesCall::read(&tokens(text))
    }

    #[test]
    fn options_are_those_of_a_manifest() {
        let read = call(
            "'s3://b/*', format => 'json', strip_outer_array => true, json_root => '$.data', \
             json_paths => '[\"$.id\", \"$.a.b\"]', columns_from_path => 'dt, hour', auto_detect_types => false",
        );
        let read = read.unwrap();
        let Some(Format::Json(options)) = &read.format else { panic!("{read:?}") };
        assert!(options.strip_outer_array && !read.guess);
        assert_eq!(options.json_root.as_deref(), Some("$.data"));
        assert_eq!(options.json_paths, ["$.id", "$.a.b"]);
        assert_eq!(read.columns_from_path, ["dt", "hour"]);
        let error = call("'a.csv', skip_header => 1").unwrap_err().to_string();
        assert!(error.contains("needs a format"), "{error}");
        let error = call("'a.csv', format => 'csv', nope => 1").unwrap_err().to_string();
        assert!(error.contains("nope"), "{error}");
    }
}
