//! From the columns of a file to the columns that a load speaks of: those of the path, pseudo columns,
//! computed columns (`set`) and the condition (`where`).
//!
//! **Names.** An expression names columns of the file, of the path and pseudo columns, regardless of case.
//! One of the path counts before one of the file, a pseudo column before both.
//!
//! **Types.** In `set` a column has the type that it has in the file; but a text whose name is a column of
//! the table that is not computed itself has that column's type, as the table will hold it. What only
//! expressions name (temporary columns) stays text. In `where` every column of the table, computed or not,
//! has the table's type and the value that the table would hold; the others are as in `set`.
//!
//! **Rows.** `where` is judged after the casts. A row for which it is not true (false or NULL) is unselected,
//! whatever else is wrong with it. But a row whose value in a column that `where` names does not fit is
//! undecided: it is filtered in strict mode; else that value is NULL. Strict mode says nothing of computed
//! columns: what does not fit there is NULL, and filters its row only if the column is NOT NULL.

mod check;
mod error;
mod file;
mod named;
mod path;

pub use check::check_source;
pub use error::SelectError;
pub use file::{FileFacts, left_out, mapping};
pub use named::named_columns;
pub use path::{PathValue, path_value};

/// The pseudo columns: facts about the file and the row.
pub const PSEUDO_COLUMNS: [&str; 6] =
    ["_file", "_file_row", "_file_size", "_file_modified", "_file_etag", "_load_label"];
