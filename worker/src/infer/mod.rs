//! The columns of a table that is made for files (`inferFrom`, `longshore files --schema`).
//!
//! The footers and headers of all files are read, up to [`MAX_FILES`] evenly chosen ones; of formats without
//! types the first rows of a few files. Columns of one name become one column whose type holds the values of
//! all ([`merged_type`]). [`FileRows`] reads the rows with these columns and no table.

mod columns;
mod error;
mod guess;
mod json;
mod merge;
mod rows;
mod sample;

use longshore_crds::InferFrom;
use longshore_crds::source::Source;
use tokio_util::sync::CancellationToken;

pub use columns::{InferredColumn, InferredFrom, Merged};
pub use error::InferError;
pub use guess::guess_type;
pub use merge::merged_type;
pub use rows::FileRows;

use crate::source::{ConnectContext, ListedObject, PathPattern, SourceError, Store};

/// Files whose columns are read, at most.
pub const MAX_FILES: usize = 10_000;

/// What was found.
#[derive(Debug)]
pub struct Inferred {
    /// The columns, in the order in which the files bring them; those of the keys come last.
    pub columns: Vec<InferredColumn>,
    /// Columns that are left out, and why.
    pub left_out: Vec<(String, String)>,
    /// Files that match.
    pub files: usize,
    /// Of these, how many were read.
    pub read: usize,
    /// Bytes of all files.
    pub bytes: u64,
}

/// What the columns are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A table: each column needs a name and a type.
    Table,
    /// Rows to look at: fields of CSV without a header are `$1`, `$2` and so on, and columns that cannot be
    /// read are left out.
    Query {
        /// Whether types of texts are guessed; else they are STRING.
        guess: bool,
    },
}

/// Lists the files and reads their columns, for a table.
///
/// # Errors
/// If no file matches, one cannot be read, two columns differ in case only, or a column has no type.
pub async fn infer(from: &InferFrom, context: &ConnectContext) -> Result<Inferred, InferError> {
    let patterns =
        from.paths.iter().map(|path| PathPattern::parse(path)).collect::<Result<Vec<_>, SourceError>>()?;
    let local = patterns.iter().any(PathPattern::is_local);
    let store = if local { Store::local(context) } else { Store::connect(&from.s3, context).await? };
    let listed = store.list_all(&patterns).await?;
    if listed.is_empty() {
        return Err(SourceError::no_matching_files(&from.paths).into());
    }
    let (from, cancel) = (from.clone(), context.cancel.clone());
    // Decoders block on the bytes that the runtime fetches.
    let inferred =
        tokio::task::spawn_blocking(move || infer_listed(&from, Purpose::Table, &store, &listed, &cancel));
    inferred.await.map_err(|error| InferError::Internal(error.to_string()))?
}

/// Reads the columns of files that were listed. Blocks.
///
/// # Errors
/// As for [`infer`], but for an empty list.
pub fn infer_listed(
    from: &InferFrom,
    purpose: Purpose,
    store: &Store,
    listed: &[ListedObject],
    cancel: &CancellationToken,
) -> Result<Inferred, InferError> {
    let source = Source {
        paths: from.paths.clone(),
        s3: from.s3.clone(),
        format: from.format.clone(),
        ..Source::default()
    };
    let chosen = chosen(listed, MAX_FILES);
    let mut merged = Merged::new(&from.columns)?;
    for schema in sample::schemas(&source, purpose, store, &chosen, cancel)? {
        merged.add(&schema.file, schema.columns)?;
    }
    for name in &from.columns_from_path {
        merged.add_path_column(name, chosen.iter().map(|object| object.key.as_str()))?;
    }
    let left_out = if purpose == Purpose::Table { Vec::new() } else { merged.take_unreadable() };
    Ok(Inferred {
        columns: merged.into_columns()?,
        left_out,
        files: listed.len(),
        read: chosen.len(),
        bytes: listed.iter().map(|object| object.size).sum(),
    })
}

/// So many of them at most, evenly chosen, the first and the last among them.
fn chosen(listed: &[ListedObject], most: usize) -> Vec<&ListedObject> {
    if listed.len() <= most {
        return listed.iter().collect();
    }
    let last = listed.len() - 1;
    (0..most).map(|number| &listed[(number * last) / (most - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_chosen_evenly() {
        let object = |number: u64| ListedObject {
            bucket: "b".to_owned(),
            key: number.to_string(),
            size: number,
            etag: String::new(),
            modified_ms: 0,
        };
        let listed: Vec<_> = (0..1000).map(object).collect();
        let sizes = |most| chosen(&listed, most).iter().map(|object| object.size).collect::<Vec<_>>();
        assert_eq!(sizes(3), [0, 499, 999]);
        assert_eq!(sizes(1000).len(), 1000);
        assert_eq!(sizes(999).len(), 999);
        assert_eq!(sizes(999).last(), Some(&999));
    }
}
