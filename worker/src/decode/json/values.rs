//! What the values of a key are over many documents: what a column for them is guessed from.

use std::collections::HashMap;

use super::builder::{each_element, last_of_equal_keys};
use super::scan::{Kind, Scanner, Value};
use super::text::unescape;

/// The values of one key, by their kind. NULL is no value.
#[derive(Debug, Default)]
pub struct JsonValues<'a> {
    /// Truth values.
    pub booleans: usize,
    /// Numbers as they were written.
    pub numbers: Vec<&'a str>,
    /// What stands between the quotes of strings; for one with escapes, an empty text.
    pub strings: Vec<&'a str>,
    /// Arrays.
    pub arrays: usize,
    /// What their elements are, all together.
    pub elements: Option<Box<JsonValues<'a>>>,
    /// Objects.
    pub objects: usize,
    /// Their keys, in the order of first sight.
    pub keys: Vec<JsonKey<'a>>,
    places: HashMap<String, usize>,
}

/// A key of objects.
#[derive(Debug)]
pub struct JsonKey<'a> {
    /// Its name.
    pub name: String,
    /// Objects that have it, with NULL or a value.
    pub count: usize,
    /// What stands there.
    pub values: JsonValues<'a>,
}

impl<'a> JsonValues<'a> {
    /// Adds a value that is JSON; what is none is passed over.
    pub fn see(&mut self, json: &'a str) {
        let mut scanner = Scanner::new(json.as_bytes(), 0);
        scanner.skip_blanks();
        if let Ok(value) = scanner.value(0) {
            self.add(json, value);
        }
    }

    fn add(&mut self, json: &'a str, value: Value) {
        let text = || json.get(value.start..value.end).unwrap_or_default();
        match value.kind {
            Kind::Null => {}
            Kind::True | Kind::False => self.booleans += 1,
            Kind::Number => self.numbers.push(text()),
            Kind::String { escaped } => self.strings.push(if escaped { "" } else { text() }),
            Kind::Array => {
                self.arrays += 1;
                let elements = self.elements.get_or_insert_default();
                let mut scanner = Scanner::new(json.as_bytes(), value.start);
                each_element(&mut scanner, |value| elements.add(json, value));
            }
            Kind::Object => {
                self.objects += 1;
                let mut scanner = Scanner::new(json.as_bytes(), value.start);
                for (key, value) in last_of_equal_keys(json.as_bytes(), &mut scanner) {
                    let place = self.place(json, key);
                    self.keys[place].count += 1;
                    self.keys[place].values.add(json, value);
                }
            }
        }
    }

    fn place(&mut self, json: &str, key: Value) -> usize {
        let mut name = Vec::new();
        unescape(&json.as_bytes()[key.start..key.end], &mut name);
        let name = String::from_utf8_lossy(&name).into_owned();
        if let Some(place) = self.places.get(&name) {
            return *place;
        }
        let place = self.keys.len();
        self.places.insert(name.clone(), place);
        self.keys.push(JsonKey { name, count: 0, values: JsonValues::default() });
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart_by_kind_and_keys_stand_in_order_of_first_sight() {
        let mut seen = JsonValues::default();
        for json in [
            r#"{"b": 1.50, "a": "x", "n": null}"#,
            r#" {"a": "q\"", "c": [1, [true]], "b": 2, "b": 3}"#,
            "null",
            r#"{"d": {"\u0065": false}}"#,
        ] {
            seen.see(json);
        }
        assert_eq!((seen.objects, seen.arrays), (3, 0));
        let names: Vec<_> = seen.keys.iter().map(|key| (key.name.as_str(), key.count)).collect();
        assert_eq!(names, [("b", 2), ("a", 2), ("n", 1), ("c", 1), ("d", 1)]);
        assert_eq!(seen.keys[0].values.numbers, ["1.50", "3"]);
        assert_eq!(seen.keys[1].values.strings, ["x", ""]);
        let elements = seen.keys[3].values.elements.as_ref().unwrap();
        assert_eq!((elements.numbers.as_slice(), elements.arrays), (&["1"][..], 1));
        assert_eq!(seen.keys[4].values.keys[0].name, "e");
        assert_eq!(seen.keys[4].values.keys[0].values.booleans, 1);
    }
}
