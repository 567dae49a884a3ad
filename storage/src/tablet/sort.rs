//! Orders the rows of one tablet by the sort key, stable.

use arrow::array::ArrayRef;
use arrow::row::Rows;

use super::TabletError;
use super::key::{KeyPlan, NumberPlan, RowPlan};
use super::radix;
use super::run::RunBuffer;

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

/// Room that a thread orders one tablet after the other in.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// Numbers of the rows of a range.
    pub(crate) rows: Vec<u32>,
    words: Vec<u64>,
    spare_words: Vec<u64>,
    pairs: Vec<(u64, u32)>,
    spare_pairs: Vec<(u64, u32)>,
}

/// Puts `rows`, which ascend, in the order of the plan.
pub(crate) fn order(
    plan: &KeyPlan,
    run: &RunBuffer,
    rows: &mut [u32],
    scratch: &mut Scratch,
) -> Result<(), TabletError> {
    match plan {
        KeyPlan::Numbers(plan) => {
            order_by_numbers(plan, run, rows, scratch);
            Ok(())
        }
        KeyPlan::Rows(plan) => order_by_rows(plan, run, rows),
    }
}

fn order_by_numbers(plan: &NumberPlan, run: &RunBuffer, rows: &mut [u32], scratch: &mut Scratch) {
    if plan.bits == 0 {
        return;
    }
    let Scratch { words, spare_words, pairs, spare_pairs, .. } = scratch;
    plan.of_rows(run.columns(), run.records(), rows, words);
    if words.is_sorted() {
        return;
    }
    let last = rows.iter().copied().max().unwrap_or(0);
    let row_bits = u32::BITS - last.leading_zeros();
    if plan.bits + row_bits <= u64::BITS {
        // Number and row share one word: half the memory, and nothing to look up afterwards.
        for (word, row) in words.iter_mut().zip(rows.iter()) {
            *word = (*word << row_bits) | u64::from(*row);
        }
        if words.len() < FEW_ROWS {
            words.sort_unstable();
        } else {
            radix::sort(words, spare_words, row_bits, row_bits + plan.bits, |word| *word);
        }
        let mask = (1u64 << row_bits) - 1;
        for (row, word) in rows.iter_mut().zip(words) {
            *row = (*word & mask) as u32;
        }
    } else {
        pairs.clear();
        pairs.extend(words.iter().copied().zip(rows.iter().copied()));
        if pairs.len() < FEW_ROWS {
            pairs.sort_unstable();
        } else {
            radix::sort(pairs, spare_pairs, 0, plan.bits, |(number, _)| *number);
        }
        for (row, (_, sorted)) in rows.iter_mut().zip(pairs) {
            *row = *sorted;
        }
    }
}

fn order_by_rows(plan: &RowPlan, run: &RunBuffer, rows: &mut [u32]) -> Result<(), TabletError> {
    let converter = plan.converter()?;
    let mut keys = converter.empty_rows(rows.len(), 0);
    for block in rows.chunks(CONVERT_ROWS) {
        let key =
            plan.columns().iter().map(|&column| run.columns()[column].gather(run.records(), block, None));
        converter.append(&mut keys, &key.collect::<Result<Vec<ArrayRef>, _>>()?)?;
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
