//! The report of a dry run as a person reads it.

use std::fmt::{self, Display, Formatter};

use longshore_crds::exit;

use super::report::{
    CheckedColumn, CheckedFile, CheckedSchema, DryRunReport, ErrorKind, Fill, FirstRows, NamedType,
};

/// Files, schemas and kinds of errors that are shown.
const SHOWN: usize = 20;
/// Characters of a value that are shown.
const SHOWN_CHARACTERS: usize = 40;

impl Display for DryRunReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        writeln!(f, "dry run of label {} into table {}", self.label, self.table)?;
        writeln!(
            f,
            "rows: {} read, {} to load, {} filtered, {} unselected; files: {} of {} bytes, {} skipped",
            counts.scan_rows,
            counts.sink_rows,
            counts.filtered_rows,
            counts.unselected_rows,
            counts.file_number,
            counts.file_size,
            counts.skipped_files
        )?;
        files(f, &self.files, self.more_files)?;
        for schema in self.schemas.iter().take(SHOWN) {
            columns(f, schema)?;
        }
        more(f, self.schemas.len().saturating_sub(SHOWN), "schemas")?;
        for (who, columns) in [
            ("the manifest of the Table adds", &self.declared_columns),
            ("the table gets", &self.new_columns),
        ] {
            if !columns.is_empty() {
                let columns: Vec<String> = columns.iter().map(named).collect();
                writeln!(f, "{who} the columns: {}", columns.join(", "))?;
            }
        }
        rows(f, &self.rows)?;
        errors(f, &self.errors)?;
        let verdict = &self.verdict;
        if verdict.exit_code == exit::LOADED {
            writeln!(f, "verdict: it would load ({})", verdict.reason)
        } else {
            writeln!(f, "verdict: it would fail ({}): {}", verdict.reason, verdict.message)
        }
    }
}

fn files(f: &mut Formatter<'_>, files: &[CheckedFile], unlisted: u64) -> fmt::Result {
    writeln!(f, "files:")?;
    for file in files.iter().take(SHOWN) {
        let format = file.format.as_deref().unwrap_or("unknown");
        write!(f, "  {} ({format}, {} bytes): ", file.file, file.size)?;
        match &file.error {
            Some(error) => writeln!(f, "{}: {}", error.code, error.message)?,
            None => writeln!(
                f,
                "{} rows read, {} to load, {} filtered, {} unselected",
                file.read, file.loaded, file.filtered, file.unselected
            )?,
        }
    }
    let unlisted = usize::try_from(unlisted).unwrap_or(usize::MAX);
    more(f, files.len().saturating_sub(SHOWN).saturating_add(unlisted), "files")
}

fn more(f: &mut Formatter<'_>, count: usize, what: &str) -> fmt::Result {
    if count == 0 { Ok(()) } else { writeln!(f, "  and {count} more {what}") }
}

fn columns(f: &mut Formatter<'_>, schema: &CheckedSchema) -> fmt::Result {
    writeln!(f, "columns of {} files like {}:", schema.files, schema.file)?;
    for CheckedColumn { column, from } in &schema.columns {
        write!(f, "  {} <- ", named(column))?;
        match from {
            Fill::File(source) => writeln!(f, "{}", named(source))?,
            Fill::Computed => writeln!(f, "an expression of set")?,
            Fill::Default(text) => writeln!(f, "default {text}")?,
            Fill::Null => writeln!(f, "NULL, the file lacks it")?,
        }
    }
    if !schema.extra.is_empty() {
        let extra: Vec<String> = schema.extra.iter().map(named).collect();
        writeln!(f, "  left alone: {}", extra.join(", "))?;
    }
    Ok(())
}

fn named(column: &NamedType) -> String {
    format!("{} {}", column.name, column.data_type)
}

fn rows(f: &mut Formatter<'_>, rows: &FirstRows) -> fmt::Result {
    if rows.values.is_empty() {
        return Ok(());
    }
    writeln!(f, "first rows as they would be stored:")?;
    for row in &rows.values {
        let cell = |(name, value): (&String, &Option<String>)| {
            format!("{name}={}", value.as_deref().map_or_else(|| "NULL".to_owned(), shown))
        };
        let cells: Vec<String> = rows.columns.iter().zip(row).map(cell).collect();
        writeln!(f, "  {}", cells.join(" "))?;
    }
    Ok(())
}

fn errors(f: &mut Formatter<'_>, errors: &[ErrorKind]) -> fmt::Result {
    if errors.is_empty() {
        return Ok(());
    }
    writeln!(f, "rows that do not fit:")?;
    for kind in errors.iter().take(SHOWN) {
        let column = if kind.column.is_empty() { "the record" } else { &kind.column };
        writeln!(f, "  {} rows, {column}: {}", kind.rows, kind.code)?;
        for example in kind.examples.iter().take(3) {
            let value = shown(&example.raw_value);
            writeln!(f, "    {} row {}: {} ({value})", example.file, example.row, example.message)?;
        }
    }
    more(f, errors.len().saturating_sub(SHOWN), "kinds")
}

/// A value on one line, cut where it is long.
fn shown(value: &str) -> String {
    let plain = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let mut text: String = value.chars().take(SHOWN_CHARACTERS).map(plain).collect();
    if value.chars().nth(SHOWN_CHARACTERS).is_some() {
        text.push('…');
    }
    text
}
