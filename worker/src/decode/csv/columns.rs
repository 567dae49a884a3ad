//! Fields of a block into columns of text.

use std::ops::Range;

use arrow::array::ArrayRef;
use arrow::error::ArrowError;

use super::dialect::Dialect;
use super::field::Field;
use super::tokens::Tokens;
use crate::decode::text::TextBuilder;

/// Field `column` of each of `rows` as text; NULL where the dialect says NULL. `width`: fields a row.
///
/// # Errors
/// What Arrow says if the fields are not UTF-8, which the tokenizer has checked.
pub(super) fn text_column(
    bytes: &[u8],
    tokens: &Tokens,
    (column, width): (usize, usize),
    rows: Range<usize>,
    dialect: &Dialect,
) -> Result<ArrayRef, ArrowError> {
    let fields = tokens.fields[rows.start * width..rows.end * width].iter().skip(column).step_by(width);
    let mut out =
        TextBuilder::new(rows.len(), bytes.len() / width.max(1) / tokens.rows.len().max(1) * rows.len());
    let null = dialect.null.as_slice();
    let first = null.first().copied();
    for &field in fields {
        let (start, end) = (field.start(), field.end());
        if field.is_enclosed_value() || (field.is_plain() && !dialect.trim) {
            // The first byte is looked at first: a comparison of slices is a call.
            let maybe_null = end - start == null.len() && first.is_none_or(|first| bytes[start] == first);
            if maybe_null && !field.is_enclosed() && bytes[start..end] == *null {
                out.null();
            } else {
                out.copy(bytes, start, end);
            }
        } else {
            uncommon(&mut out, bytes, field, dialect);
        }
    }
    out.finish()
}

/// A field that is not plainly its value.
#[inline(never)]
fn uncommon(out: &mut TextBuilder, bytes: &[u8], field: Field, dialect: &Dialect) {
    if field.is_missing() {
        return out.null();
    }
    let mut value = field.slice(bytes);
    if !field.is_enclosed() {
        value = if dialect.trim { trimmed(value, dialect) } else { value };
        if value == dialect.null {
            return out.null();
        }
    }
    out.write(|values| {
        if field.is_cooked() {
            cook(value, field.is_enclosed(), dialect, values);
        } else {
            values.extend_from_slice(value);
        }
    });
}

fn trimmed<'a>(value: &'a [u8], dialect: &Dialect) -> &'a [u8] {
    let Some(start) = value.iter().position(|&byte| !dialect.is_blank(byte)) else { return &[] };
    let end = value.iter().rposition(|&byte| !dialect.is_blank(byte)).map_or(value.len(), |last| last + 1);
    &value[start..end]
}

/// Appends what was meant by `raw`: the enclosure (the first byte, if `enclosed`) and escapes taken off,
/// doubled enclosures made one; what follows the enclosure is appended as it is.
pub(super) fn cook(raw: &[u8], enclosed: bool, dialect: &Dialect, out: &mut Vec<u8>) {
    let mut at = usize::from(enclosed);
    let mut inside = enclosed;
    while let Some(&byte) = raw.get(at) {
        if dialect.escape == Some(byte) && at + 1 < raw.len() {
            out.push(raw[at + 1]);
            at += 2;
        } else if inside && dialect.enclose == Some(byte) {
            if raw.get(at + 1) == Some(&byte) {
                out.push(byte);
                at += 2;
            } else {
                inside = false;
                at += 1;
                let tail = &raw[at..];
                if dialect.trim && tail.iter().all(|&byte| dialect.is_blank(byte)) {
                    return;
                }
            }
        } else {
            out.push(byte);
            at += 1;
        }
    }
}
