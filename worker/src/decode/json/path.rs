//! From a document to the value that a path names.

use longshore_crds::JsonStep;

use super::fault::Fault;
use super::scan::{Kind, Scanner, Value};
use super::text::unescape;

/// Where `steps` lead from `value`, which was checked. Of equal keys the last counts.
pub(super) fn follow(bytes: &[u8], value: Value, steps: &[JsonStep]) -> Option<Value> {
    let mut value = value;
    for step in steps {
        value = inside(bytes, value, step)?;
    }
    Some(value)
}

fn inside(bytes: &[u8], value: Value, step: &JsonStep) -> Option<Value> {
    let mut scanner = Scanner::new(bytes, value.start);
    let mut found = None;
    let scanned: Result<(), Fault> = match (step, value.kind) {
        (JsonStep::Key(wanted), Kind::Object) => scanner.for_each_key(0, |key, value| {
            if is_key(bytes, key, wanted) {
                found = Some(value);
            }
            Ok(())
        }),
        (JsonStep::Index(wanted), Kind::Array) => scanner.for_each_element(0, |index, value| {
            if index == *wanted {
                found = Some(value);
            }
            Ok(())
        }),
        _ => return None,
    };
    scanned.ok()?;
    found
}

/// Whether a key means `wanted`.
pub(super) fn is_key(bytes: &[u8], key: Value, wanted: &str) -> bool {
    let raw = &bytes[key.start..key.end];
    match key.kind {
        Kind::String { escaped: true } => {
            let mut meant = Vec::with_capacity(raw.len());
            unescape(raw, &mut meant);
            meant == wanted.as_bytes()
        }
        _ => raw == wanted.as_bytes(),
    }
}
