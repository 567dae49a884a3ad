//! Which rows do not fit, and what a person is told about them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Field};
use arrow::error::ArrowError;
use longshore_storage::schema::PartitionIndices;
use longshore_storage::types::DataType;

use super::Zone;
use super::binary::as_binary;
use super::column::{Column, Fault};
use super::json::{Renderer, cut, write_quoted};
use crate::rows::{Origin, RejectedRow};

/// Most bytes of a raw value that are kept.
const RAW_VALUE_BYTES: usize = 1 << 10;
/// Most bytes of a raw record that are kept.
const RAW_RECORD_BYTES: usize = 64 << 10;

impl Fault {
    /// What is wrong, without naming the type.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Parse => "the text is no value of this type",
            Self::OutOfRange => "the value is outside the range",
            Self::TooLong => "the value is longer than declared; lengths count bytes",
            Self::InvalidUtf8 => "the bytes are not UTF-8",
            Self::InvalidJson => "the text is not JSON",
            Self::Null => "NULL in a NOT NULL column",
            Self::NoPartition => "no partition of the table takes the value",
        }
    }
}

/// Marks the rows of a batch that are filtered.
pub(super) struct Rejects {
    rows: usize,
    strict: bool,
    /// Set bits are rows that stay; made when the first row goes.
    kept: Option<BooleanBufferBuilder>,
    /// Each filtered row once, with the table's column that says why.
    reasons: Vec<Reason>,
}

#[derive(Clone, Copy)]
pub(super) struct Reason {
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) fault: Fault,
}

impl Reason {
    /// Whether another row goes for the same column and fault.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.column, self.fault) == (other.column, other.fault)
    }
}

impl Rejects {
    pub(super) fn new(rows: usize, strict: bool) -> Self {
        Self { rows, strict, kept: None, reasons: Vec::new() }
    }

    /// Takes in a column of the table; columns come in their order. Strict mode says nothing of one that is
    /// `computed`.
    pub(super) fn add(&mut self, index: usize, column: &Column, nullable: bool, computed: bool) {
        let strict = self.strict && !computed;
        for misfit in &column.misfits {
            if strict || misfit.fault.filters_always() || (!nullable && column.array.is_null(misfit.row)) {
                self.reject(Reason { row: misfit.row, column: index, fault: misfit.fault });
            }
        }
        if let Some(nulls) = column.array.nulls().filter(|nulls| !nullable && nulls.null_count() > 0) {
            for row in (0..self.rows).filter(|&row| nulls.is_null(row)) {
                self.reject(Reason { row, column: index, fault: Fault::Null });
            }
        }
    }

    /// Takes in the partitions of the rows; `column` is the first that decides them.
    pub(super) fn add_partitions(&mut self, column: usize, partitions: &PartitionIndices) {
        if partitions.outside() == 0 {
            return;
        }
        for (row, partition) in partitions.ids().iter().enumerate() {
            if *partition == PartitionIndices::OUTSIDE {
                self.reject(Reason { row, column, fault: Fault::NoPartition });
            }
        }
    }

    /// Takes in the rows that are selected; gives the number of those that are not. A row of `undecided` (a
    /// value that the condition asks for does not fit) stays filtered; any other is unselected whatever else
    /// is wrong with it.
    pub(super) fn select(&mut self, selected: &BooleanArray, undecided: &HashSet<usize>) -> u64 {
        if selected.true_count() == self.rows {
            return 0;
        }
        let kept = Self::kept(&mut self.kept, self.rows);
        let mut unselected = 0;
        for row in (0..self.rows).filter(|&row| !selected.value(row) && !undecided.contains(&row)) {
            kept.set_bit(row, false);
            unselected += 1;
        }
        self.reasons.retain(|reason| selected.value(reason.row) || undecided.contains(&reason.row));
        unselected
    }

    fn kept(kept: &mut Option<BooleanBufferBuilder>, rows: usize) -> &mut BooleanBufferBuilder {
        kept.get_or_insert_with(|| {
            let mut kept = BooleanBufferBuilder::new(rows);
            kept.append_n(rows, true);
            kept
        })
    }

    fn reject(&mut self, reason: Reason) {
        let kept = Self::kept(&mut self.kept, self.rows);
        if kept.get_bit(reason.row) {
            kept.set_bit(reason.row, false);
            self.reasons.push(reason);
        }
    }

    /// The rows that stay (`None`: all of them), and why the others go, in order of rows.
    pub(super) fn finish(self) -> (Option<BooleanArray>, Vec<Reason>) {
        let Self { kept, mut reasons, .. } = self;
        reasons.sort_unstable_by_key(|reason| reason.row);
        (kept.map(|mut kept| BooleanArray::new(kept.finish(), None)), reasons)
    }
}

/// Says why a row of `batch`, as the file has it, is filtered. `place`: the column's place in the batch, if
/// the file has it.
pub(super) fn describe(
    batch: &RecordBatch,
    reason: Reason,
    place: Option<usize>,
    (column, to): (&str, &DataType),
    origin: &Origin,
    zone: Zone,
) -> Result<RejectedRow, ArrowError> {
    let one_row = batch.slice(reason.row, 1);
    let raw_value = match place {
        Some(place) => raw_value(one_row.column(place), one_row.schema_ref().field(place), zone)?,
        // A default, or a value that was computed, of which the file knows nothing.
        None if reason.fault == Fault::Null => "NULL".to_owned(),
        None => String::new(),
    };
    let message = match reason.fault {
        Fault::Null | Fault::NoPartition => reason.fault.message().to_owned(),
        Fault::Parse => format!("the text is no value of {to}"),
        Fault::OutOfRange => format!("the value is outside the range of {to}"),
        Fault::TooLong => format!("the value is longer than {to} allows; lengths count bytes"),
        Fault::InvalidUtf8 => format!("the bytes are not UTF-8, which {to} asks for"),
        Fault::InvalidJson => format!("the text is not {to}"),
    };
    Ok(RejectedRow {
        row: origin.number(reason.row),
        byte_offset: origin.byte_offset(reason.row),
        column: column.to_owned(),
        code: reason.fault.code(),
        message,
        raw_value,
        raw_record: match origin.raw(reason.row) {
            Some(raw) => raw,
            None => raw_record(&one_row, zone)?,
        },
    })
}

fn raw_value(value: &ArrayRef, field: &Field, zone: Zone) -> Result<String, ArrowError> {
    let flat = match value.data_type() {
        ArrowType::Dictionary(_, values) => arrow::compute::cast(value, values)?,
        _ => Arc::clone(value),
    };
    if flat.is_null(0) {
        return Ok("NULL".to_owned());
    }
    if matches!(flat.data_type(), ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView) {
        let binary = as_binary(&flat)?;
        let bytes = binary.as_binary::<i32>().value(0);
        let bytes = &bytes[..bytes.len().min(RAW_VALUE_BYTES)];
        return Ok(match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => cut(&bytes.escape_ascii().to_string(), RAW_VALUE_BYTES).to_owned(),
        });
    }
    let field = field.clone().with_data_type(flat.data_type().clone());
    let text = Renderer::new(&flat, &field, zone)?.map(|renderer| renderer.text(0, RAW_VALUE_BYTES));
    Ok(cut(&text.unwrap_or_default(), RAW_VALUE_BYTES).to_owned())
}

fn raw_record(one_row: &RecordBatch, zone: Zone) -> Result<String, ArrowError> {
    let mut out = String::from("{");
    for (index, (field, column)) in one_row.schema_ref().fields().iter().zip(one_row.columns()).enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_quoted(field.name(), &mut out);
        out.push(':');
        match Renderer::new(column, field, zone)? {
            Some(renderer) => renderer.write(0, &mut out, RAW_RECORD_BYTES),
            None => out.push_str("null"),
        }
    }
    out.push('}');
    Ok(cut(&out, RAW_RECORD_BYTES).to_owned())
}
