//! Rows as bits: each row of the model is one bit of a mask, so that twice and never can be seen.
//!
//! Task t of label l brings bit 2l + t; bit 4 is a row of an object that turned up after the first listing;
//! bits 5 to 7 stood in the table from the start; object o of a pipe is bit 8 + o.

/// A set of rows.
pub type RowSet = u16;

/// The row of the object that turns up late under the prefix of label 0.
pub const LATE: RowSet = 1 << 4;
/// Two rows of the first partition and one of the second that stand from the start.
pub const SEEDS: [RowSet; 3] = [1 << 5, 1 << 6, 1 << 7];
/// The rows of the second partition, where a scenario has two.
pub const SECOND_PARTITION: RowSet = 1 << 1 | 1 << 3 | 1 << 7;
/// Those of the first.
pub const FIRST_PARTITION: RowSet = !SECOND_PARTITION;
/// All of them.
pub const EVERYTHING: RowSet = RowSet::MAX;

/// What a task of a label brings; `late`: its plan held the late object.
pub fn of_task(label: u8, task: u8, late: bool) -> RowSet {
    let own = 1 << (2 * label + task);
    if late && label == 0 && task == 0 { own | LATE } else { own }
}

/// What a whole plan of a label brings.
pub fn of_plan(label: u8, late: bool) -> RowSet {
    of_task(label, 0, late) | of_task(label, 1, late)
}

/// The rows of a set of objects.
pub fn of_objects(objects: u16) -> RowSet {
    objects << 8
}

/// The objects of a set of rows.
pub fn objects_of(rows: RowSet) -> u16 {
    rows >> 8
}
