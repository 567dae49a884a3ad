//! What is gathered while the files of a dry run are read: schemas, first rows, kinds of errors. Many threads
//! add to it; what comes out does not depend on their order.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, RecordBatch};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use longshore_crds::DryRun;

use super::report::{
    CheckedColumn, CheckedFile, CheckedSchema, ErrorExample, ErrorKind, FileProblem, FirstRows, LISTED_FILES,
    LISTED_SCHEMAS, NamedType,
};
use crate::rows::{RejectedKind, RejectedRow};

/// The place of a file in the plan: task and place in the task.
pub type FilePlace = (u32, usize);

/// What a dry run gathers.
#[derive(Debug)]
pub struct Findings {
    limits: DryRun,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<FilePlace, FileFindings>,
    schemas: Vec<SchemaFound>,
    columns: Vec<String>,
    /// The first rows by file and row.
    rows: BTreeMap<(FilePlace, u64), Vec<Option<String>>>,
    /// The first rows that do not fit, by kind.
    examples: BTreeMap<Kind, BTreeMap<(FilePlace, u64), RejectedRow>>,
}

impl State {
    /// Whether there are so many rows already, and all of them come before this one.
    fn is_late(&self, limit: usize, row: (FilePlace, u64)) -> bool {
        self.rows.len() >= limit && self.rows.last_key_value().is_none_or(|(last, _)| *last < row)
    }
}

/// Column and code.
type Kind = (String, &'static str);

#[derive(Debug, Default)]
struct FileFindings {
    format: String,
    kinds: BTreeMap<Kind, u64>,
}

/// The columns of files, and the files that have them.
#[derive(Debug)]
struct SchemaFound {
    columns: Vec<CheckedColumn>,
    extra: Vec<NamedType>,
    files: BTreeSet<FilePlace>,
}

impl Findings {
    /// Nothing found yet.
    pub fn new(limits: DryRun) -> Self {
        Self { limits, state: Mutex::default() }
    }

    /// Rows that do not fit which are worth describing, of one batch.
    pub fn wanted(&self) -> usize {
        self.limits.errors as usize
    }

    /// A file was opened: its format, what fills the table's columns, and what is left of its own.
    pub fn opened(&self, file: FilePlace, format: &str, columns: Vec<CheckedColumn>, extra: Vec<NamedType>) {
        let mut state = self.lock();
        state.files.entry(file).or_default().format = format.to_owned();
        let same = |schema: &&mut SchemaFound| schema.columns == columns && schema.extra == extra;
        if let Some(schema) = state.schemas.iter_mut().find(same) {
            schema.files.insert(file);
        } else if state.schemas.len() < LISTED_SCHEMAS {
            state.schemas.push(SchemaFound { columns, extra, files: BTreeSet::from([file]) });
        }
    }

    /// Rows of a file as they would be stored; `row`: the number of the first record that they come from.
    pub fn rows(&self, file: FilePlace, row: u64, batch: &RecordBatch) -> Result<(), ArrowError> {
        let limit = self.limits.rows as usize;
        if limit == 0 || self.lock().is_late(limit, (file, row)) {
            return Ok(());
        }
        let found = texts(&batch.slice(0, limit.min(batch.num_rows())))?;
        let mut state = self.lock();
        if state.columns.is_empty() {
            state.columns = batch.schema_ref().fields().iter().map(|field| field.name().clone()).collect();
        }
        // Rows of one batch follow each other, whatever was filtered between them.
        state.rows.extend((row..).zip(found).map(|(row, texts)| ((file, row), texts)));
        while state.rows.len() > limit {
            state.rows.pop_last();
        }
        Ok(())
    }

    /// Rows of a file that do not fit, by kind, and some described.
    pub fn rejected(&self, file: FilePlace, kinds: Vec<RejectedKind>, described: Vec<RejectedRow>) {
        let mut state = self.lock();
        let State { files, examples, .. } = &mut *state;
        let found = files.entry(file).or_default();
        for RejectedKind { column, code, rows } in kinds {
            *found.kinds.entry((column, code)).or_default() += rows;
        }
        let limit = self.limits.errors as usize;
        for row in described {
            let of_kind = examples.entry((row.column.clone(), row.code)).or_default();
            // What a person is shown is the value, not the record.
            of_kind.insert((file, row.row), RejectedRow { raw_record: String::new(), ..row });
            while of_kind.len() > limit {
                of_kind.pop_last();
            }
        }
    }

    /// What was found of the files that can be read, `checked` in the plan's order, with the format and the
    /// schema of each filled in.
    pub fn conclude(&self, checked: &mut [(FilePlace, CheckedFile)]) -> Concluded {
        let mut state = std::mem::take(&mut *self.lock());
        let mut unread = BTreeSet::new();
        for (place, file) in checked.iter_mut() {
            if file.error.is_some() {
                unread.insert(*place);
            }
            file.format = state.files.get(place).map(|found| found.format.clone());
        }
        state.rows.retain(|(place, _), _| !unread.contains(place));
        let names: BTreeMap<FilePlace, String> =
            checked.iter().map(|(place, file)| (*place, file.file.clone())).collect();
        state.schemas.sort_by_key(|schema| schema.files.first().copied());
        for (place, file) in checked.iter_mut() {
            file.schema = state.schemas.iter().position(|schema| schema.files.contains(place));
        }
        let mut sums: BTreeMap<Kind, u64> = BTreeMap::new();
        for (_, found) in state.files.into_iter().filter(|(place, _)| !unread.contains(place)) {
            for (kind, rows) in found.kinds {
                *sums.entry(kind).or_default() += rows;
            }
        }
        for examples in state.examples.values_mut() {
            examples.retain(|(place, _), _| !unread.contains(place));
        }
        let schemas = state.schemas.into_iter().map(|schema| CheckedSchema {
            file: schema.files.first().and_then(|first| names.get(first)).cloned().unwrap_or_default(),
            files: schema.files.len() as u64,
            columns: schema.columns,
            extra: schema.extra,
        });
        Concluded {
            schemas: schemas.collect(),
            rows: FirstRows { columns: state.columns, values: state.rows.into_values().collect() },
            errors: self.errors(sums, state.examples, &names),
        }
    }

    /// The kinds over all files: the most frequent first, the examples shared out fairly.
    fn errors(
        &self,
        sums: BTreeMap<Kind, u64>,
        mut examples: BTreeMap<Kind, BTreeMap<(FilePlace, u64), RejectedRow>>,
        names: &BTreeMap<FilePlace, String>,
    ) -> Vec<ErrorKind> {
        let mut kinds: Vec<(Kind, u64)> = sums.into_iter().collect();
        kinds.sort_by_key(|(_, rows)| Reverse(*rows));
        // The rarest first: what they leave of their share is for the frequent ones.
        let (mut left, mut found) = (self.limits.errors as usize, Vec::with_capacity(kinds.len()));
        for (before, (kind, rows)) in kinds.into_iter().enumerate().rev() {
            let share = left / (before + 1);
            let of_kind = examples.remove(&kind).unwrap_or_default();
            let of_kind = of_kind.into_iter().take(share).map(|((place, _), row)| ErrorExample {
                file: names.get(&place).cloned().unwrap_or_default(),
                row: row.row,
                byte_offset: row.byte_offset,
                message: row.message,
                raw_value: row.raw_value,
            });
            let examples: Vec<ErrorExample> = of_kind.collect();
            left -= examples.len();
            let (column, code) = kind;
            found.push(ErrorKind { code: code.to_owned(), column, rows, examples });
        }
        found.reverse();
        found
    }

    /// A panic of another thread leaves it consistent: each section changes one thing.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came together.
#[derive(Debug)]
pub struct Concluded {
    /// Schemas.
    pub schemas: Vec<CheckedSchema>,
    /// First rows.
    pub rows: FirstRows,
    /// Kinds of errors.
    pub errors: Vec<ErrorKind>,
}

/// The first files of a list, and how many there are beyond.
pub fn listed(files: Vec<CheckedFile>) -> (Vec<CheckedFile>, u64) {
    let more = files.len().saturating_sub(LISTED_FILES) as u64;
    (files.into_iter().take(LISTED_FILES).collect(), more)
}

impl FileProblem {
    /// An error by its category and words.
    pub fn new(code: &str, message: &impl ToString) -> Self {
        Self { code: code.to_owned(), message: message.to_string() }
    }
}

/// Rows as text, one value a column; NULL is `None`.
fn texts(batch: &RecordBatch) -> Result<Vec<Vec<Option<String>>>, ArrowError> {
    let mut rows = vec![Vec::with_capacity(batch.num_columns()); batch.num_rows()];
    let options = FormatOptions::new();
    for array in batch.columns() {
        let formatter = ArrayFormatter::try_new(array, &options)?;
        let nulls = array.logical_nulls();
        for (row, texts) in rows.iter_mut().enumerate() {
            let is_null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
            texts.push((!is_null).then(|| formatter.value(row).try_to_string()).transpose()?);
        }
    }
    Ok(rows)
}
