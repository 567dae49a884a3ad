//! Orders the rows of one tablet by the sort key, stable.

use arrow::array::ArrayRef;
use arrow::row::Rows;

use super::TabletError;
use super::column::ColumnBuffer;
use super::key::{KeyPlan, NumberPlan, RowPlan};
use super::radix;

/// Rows of the run buffer that are turned into the row format at once.
const CONVERT_ROWS: usize = 1 << 16;
/// Below this a comparison sort is faster than clearing the counters of a radix sort.
const FEW_ROWS: usize = 512;

/// Bytes that ordering needs for each row of a tablet by numbers of `bits` bits, rows numbered up to `rows`.
pub(crate) fn order_bytes_of_numbers(bits: u32, rows: usize) -> usize {
    let row_bits = usize::BITS - rows.leading_zeros();
    // Two arrays of words, or two of pairs beside the numbers.
    if bits == 0 {
        0
    } else if bits + row_bits <= u64::BITS {
        16
    } else {
        40
    }
}

/// Bytes that ordering needs for each row of a tablet whose key columns have `key_bytes` bytes a row: the
/// row format, which pads text to its own blocks, with its offsets and the array that is sorted.
pub(crate) fn order_bytes_of_rows(key_bytes: usize) -> usize {
    key_bytes + key_bytes / 8 + 48 + 32
}

/// Puts `rows`, which ascend, in the order of the plan.
pub(crate) fn order(plan: &KeyPlan, columns: &[ColumnBuffer], rows: &mut [u32]) -> Result<(), TabletError> {
    match plan {
        KeyPlan::Numbers(plan) => {
            order_by_numbers(plan, columns, rows);
            Ok(())
        }
        KeyPlan::Rows(plan) => order_by_rows(plan, columns, rows),
    }
}

fn order_by_numbers(plan: &NumberPlan, columns: &[ColumnBuffer], rows: &mut [u32]) {
    if plan.bits == 0 {
        return;
    }
    let mut numbers = plan.of_rows(columns, rows);
    if numbers.is_sorted() {
        return;
    }
    let last = rows.last().copied().unwrap_or(0);
    let row_bits = u32::BITS - last.leading_zeros();
    if plan.bits + row_bits <= u64::BITS {
        // Number and row share one word: half the memory, and nothing to look up afterwards.
        for (number, row) in numbers.iter_mut().zip(rows.iter()) {
            *number = (*number << row_bits) | u64::from(*row);
        }
        if numbers.len() < FEW_ROWS {
            numbers.sort_unstable();
        } else {
            radix::sort(&mut numbers, &mut Vec::new(), row_bits, row_bits + plan.bits, |word| *word);
        }
        let mask = (1u64 << row_bits) - 1;
        for (row, word) in rows.iter_mut().zip(&numbers) {
            *row = (word & mask) as u32;
        }
    } else {
        let mut pairs: Vec<(u64, u32)> = numbers.iter().copied().zip(rows.iter().copied()).collect();
        drop(numbers);
        if pairs.len() < FEW_ROWS {
            pairs.sort_unstable();
        } else {
            radix::sort(&mut pairs, &mut Vec::new(), 0, plan.bits, |(number, _)| *number);
        }
        for (row, (_, sorted)) in rows.iter_mut().zip(&pairs) {
            *row = *sorted;
        }
    }
}

fn order_by_rows(plan: &RowPlan, columns: &[ColumnBuffer], rows: &mut [u32]) -> Result<(), TabletError> {
    let converter = plan.converter()?;
    let mut keys = converter.empty_rows(rows.len(), 0);
    for block in rows.chunks(CONVERT_ROWS) {
        let gathered: Vec<ArrayRef> = plan
            .columns()
            .iter()
            .map(|&column| columns[column].gather(block, None))
            .collect::<Result<_, _>>()?;
        converter.append(&mut keys, &gathered)?;
    }
    let mut order: Vec<(u64, u32)> =
        (0..).take(rows.len()).map(|at| (prefix(&keys, at as usize), at)).collect();
    let full = |at: u32| keys.row(at as usize);
    let compare = |a: &(u64, u32), b: &(u64, u32)| {
        a.0.cmp(&b.0).then_with(|| full(a.1).cmp(&full(b.1))).then(a.1.cmp(&b.1))
    };
    order.sort_unstable_by(compare);
    let sorted: Vec<u32> = order.iter().map(|(_, at)| rows[*at as usize]).collect();
    rows.copy_from_slice(&sorted);
    Ok(())
}

/// The first eight bytes of a row's key: most comparisons end here, without a visit to the key.
pub(crate) fn prefix(keys: &Rows, at: usize) -> u64 {
    let row = keys.row(at);
    let bytes: &[u8] = row.as_ref();
    let mut first = [0; 8];
    let length = bytes.len().min(8);
    first[..length].copy_from_slice(&bytes[..length]);
    u64::from_be_bytes(first)
}
