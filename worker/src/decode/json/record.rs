//! Documents into rows: outer array, root, then keys or paths.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use longshore_crds::{JsonPath, JsonStep};
use longshore_storage::types::DataType;

use super::builder::{Builder, Shape};
use super::fault::Fault;
use super::path::follow;
use super::scan::{Kind, Scanner, Value};
use super::text::unescape;
use crate::decode::text::Span;

/// What stands in a column where a document lacks its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absent {
    /// NULL.
    Null,
    /// The declared default, as text.
    Text(String),
    /// Another UUID each time.
    Uuid,
}

/// A column that is taken from JSON documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonColumn {
    /// Its name; without paths also the key, case and all.
    pub name: String,
    /// Type of the table's column that it feeds, if it feeds one: nested values are given in its shape.
    pub data_type: Option<DataType>,
    /// For documents without the key.
    pub absent: Absent,
}

/// How documents become rows.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) strip_outer_array: bool,
    pub(super) root: Option<JsonPath>,
    /// A nested value of the wrong shape filters its row (true) or becomes NULL (false).
    pub(super) strict: bool,
    columns: Vec<Wanted>,
    pub(super) schema: SchemaRef,
}

#[derive(Debug)]
struct Wanted {
    path: JsonPath,
    shape: Shape,
    absent: Absent,
}

impl Rules {
    /// `paths`: one a column; empty: each column's name is its key.
    pub(super) fn new(
        columns: &[JsonColumn],
        paths: &[JsonPath],
        (strip_outer_array, root, strict): (bool, Option<JsonPath>, bool),
    ) -> Self {
        let wanted: Vec<Wanted> = columns
            .iter()
            .enumerate()
            .map(|(index, column)| Wanted {
                path: paths.get(index).cloned().unwrap_or_else(|| JsonPath::key(&column.name)),
                shape: Shape::of(column.data_type.as_ref()),
                absent: column.absent.clone(),
            })
            .collect();
        let fields: Vec<_> = columns
            .iter()
            .zip(&wanted)
            .map(|(column, wanted)| Field::new(&column.name, wanted.shape.arrow(), true))
            .collect();
        Self { strip_outer_array, root, strict, columns: wanted, schema: Arc::new(Schema::new(fields)) }
    }
}

/// A way from the value of a top key to a column.
#[derive(Debug)]
struct Route<'a> {
    slot: usize,
    steps: &'a [JsonStep],
}

/// Collects rows. Columns in the order asked for.
pub(super) struct RowSink<'a> {
    rules: &'a Rules,
    /// Of each column asked for, its number among the rules' columns.
    columns: Vec<usize>,
    /// Which columns begin at each top key.
    routes: Vec<Vec<Route<'a>>>,
    /// The place of a top key's routes.
    keys: HashMap<&'a [u8], usize>,
    /// Keys as they came in the row before, and where they lead: most documents repeat them.
    expected: Vec<(Vec<u8>, Option<usize>)>,
    slots: Vec<Option<Value>>,
    builders: Vec<Builder>,
    rows: Vec<Span>,
    bytes: usize,
}

impl<'a> RowSink<'a> {
    pub(super) fn new(rules: &'a Rules, columns: &[usize], rows: usize, bytes: usize) -> Self {
        let columns: Vec<usize> =
            columns.iter().copied().filter(|column| *column < rules.columns.len()).collect();
        let mut routes: Vec<Vec<Route<'_>>> = Vec::new();
        let mut keys = HashMap::new();
        for (slot, &column) in columns.iter().enumerate() {
            if let Some((JsonStep::Key(key), steps)) = rules.columns[column].path.steps.split_first() {
                let place = *keys.entry(key.as_bytes()).or_insert(routes.len());
                if place == routes.len() {
                    routes.push(Vec::new());
                }
                routes[place].push(Route { slot, steps });
            }
        }
        let room = bytes / columns.len().max(1);
        let builders =
            columns.iter().map(|&column| Builder::new(&rules.columns[column].shape, rows, room)).collect();
        let slots = vec![None; columns.len()];
        Self {
            rules,
            columns,
            routes,
            keys,
            expected: Vec::new(),
            slots,
            builders,
            rows: Vec::new(),
            bytes: 0,
        }
    }

    /// Rows so far.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Bytes of the rows so far.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The document at the scanner's place: as many rows as it has records. After a fault the rows before it
    /// stay.
    pub(super) fn document(&mut self, scanner: &mut Scanner<'_>, number: u32) -> Result<(), Fault> {
        match scanner.peek() {
            b'{' if self.rules.root.is_none() => self.object(scanner, 1, number),
            b'[' if self.rules.strip_outer_array => self.elements(scanner, number),
            _ => {
                let value = scanner.value(0)?;
                self.rooted(scanner.bytes, value, number)
            }
        }
    }

    /// Each element of the array is a document.
    fn elements(&mut self, scanner: &mut Scanner<'_>, number: u32) -> Result<(), Fault> {
        scanner.expect(b'[')?;
        scanner.skip_blanks();
        if scanner.take(b']') {
            return Ok(());
        }
        loop {
            self.element(scanner, number)?;
            scanner.skip_blanks();
            if scanner.take(b']') {
                return Ok(());
            }
            scanner.expect(b',')?;
            scanner.skip_blanks();
        }
    }

    /// One element of an outer array: itself no array to be stripped.
    pub(super) fn element(&mut self, scanner: &mut Scanner<'_>, number: u32) -> Result<(), Fault> {
        if scanner.peek() == b'{' && self.rules.root.is_none() {
            return self.object(scanner, 2, number);
        }
        let value = scanner.value(1)?;
        self.rooted(scanner.bytes, value, number)
    }

    /// A document that was checked: what its root leads to are the records.
    fn rooted(&mut self, bytes: &[u8], document: Value, number: u32) -> Result<(), Fault> {
        let record = match &self.rules.root {
            Some(root) => follow(bytes, document, &root.steps).ok_or(Fault::NoRoot)?,
            None => document,
        };
        match record.kind {
            Kind::Object => self.object(&mut Scanner::new(bytes, record.start), 1, number),
            Kind::Array if self.rules.strip_outer_array && self.rules.root.is_some() => {
                let mut records = Vec::new();
                Scanner::new(bytes, record.start).for_each_element(0, |_, value| {
                    records.push(value);
                    Ok(())
                })?;
                for record in records {
                    if record.kind != Kind::Object {
                        return Err(Fault::NotAnObject);
                    }
                    self.object(&mut Scanner::new(bytes, record.start), 1, number)?;
                }
                Ok(())
            }
            Kind::Array => Err(Fault::Array),
            _ => Err(Fault::NotAnObject),
        }
    }

    /// The object at the scanner's place is a row, if it is sound to its end.
    fn object(&mut self, scanner: &mut Scanner<'_>, depth: usize, number: u32) -> Result<(), Fault> {
        let start = scanner.at;
        let bytes = scanner.bytes;
        self.slots.fill(None);
        let mut place = 0;
        let Self { routes, keys, expected, slots, .. } = self;
        scanner.for_each_key(depth, |key, value| {
            let raw = &bytes[key.start..key.end];
            let known = match expected.get(place) {
                Some((before, known)) if same(before, raw) => *known,
                _ => learn(bytes, key, place, keys, expected),
            };
            place += 1;
            let Some(known) = known else { return Ok(()) };
            for route in &routes[known] {
                slots[route.slot] =
                    if route.steps.is_empty() { Some(value) } else { follow(bytes, value, route.steps) };
            }
            Ok(())
        })?;
        let record = Value { start, end: scanner.at, kind: Kind::Object };
        self.check_shapes(bytes)?;
        self.push(bytes, record, number);
        Ok(())
    }

    /// In strict mode a nested value must have its column's shape.
    fn check_shapes(&self, bytes: &[u8]) -> Result<(), Fault> {
        if !self.rules.strict {
            return Ok(());
        }
        for (slot, &column) in self.slots.iter().zip(&self.columns) {
            let shape = &self.rules.columns[column].shape;
            if slot.is_some_and(|value| !matches!(shape, Shape::Text(_)) && !shape.fits(bytes, value)) {
                return Err(Fault::Mismatch(column));
            }
        }
        Ok(())
    }

    fn push(&mut self, bytes: &[u8], record: Value, number: u32) {
        for ((slot, &column), builder) in self.slots.iter().zip(&self.columns).zip(&mut self.builders) {
            let wanted = &self.rules.columns[column];
            match (slot, &wanted.absent) {
                (Some(value), _) => builder.push(bytes, *value),
                (None, _) if wanted.path.steps.is_empty() => builder.push(bytes, record),
                (None, Absent::Null) => builder.null(),
                (None, Absent::Text(text)) => builder.text(text),
                (None, Absent::Uuid) => builder.text(&uuid::Uuid::new_v4().hyphenated().to_string()),
            }
        }
        self.bytes += record.end - record.start;
        self.rows.push(Span { start: record.start as u32, end: record.end as u32, number });
    }

    /// The columns, and the record of each row.
    pub(super) fn finish(self) -> Result<(Vec<ArrayRef>, Vec<Span>), ArrowError> {
        let columns: Result<Vec<_>, _> = self.builders.into_iter().map(Builder::finish).collect();
        Ok((columns?, self.rows))
    }
}

/// Equality of short texts without a call.
#[inline(always)]
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b)
}

/// Finds what a key leads to, and expects it in this place from now on.
#[inline(never)]
fn learn(
    bytes: &[u8],
    key: Value,
    place: usize,
    keys: &HashMap<&[u8], usize>,
    expected: &mut Vec<(Vec<u8>, Option<usize>)>,
) -> Option<usize> {
    /// Keys of a document that are remembered.
    const MOST: usize = 4096;
    let raw = &bytes[key.start..key.end];
    let known = match key.kind {
        Kind::String { escaped: true } => {
            let mut meant = Vec::with_capacity(raw.len());
            unescape(raw, &mut meant);
            keys.get(meant.as_slice())
        }
        _ => keys.get(raw),
    };
    let known = known.copied();
    if let Some(entry) = expected.get_mut(place) {
        entry.0.clear();
        entry.0.extend_from_slice(raw);
        entry.1 = known;
    } else if expected.len() < MOST {
        expected.push((raw.to_vec(), known));
    }
    known
}
