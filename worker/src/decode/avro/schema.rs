//! The schema of a file as a list of types that point at each other.

use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::Arc;

/// Types of a schema, at most.
const MAX_TYPES: usize = 100_000;

/// Place of a type in its [`Schema`].
pub(super) type TypeId = usize;

/// A schema; types may contain themselves.
#[derive(Debug)]
pub(super) struct Schema {
    types: Vec<Type>,
}

/// A type of the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    Null,
    Boolean,
    Int(Option<Logical>),
    Long(Option<Logical>),
    Float,
    Double,
    Bytes(Option<Logical>),
    Text(Option<Logical>),
    Fixed(usize, Option<Logical>),
    Enum(Arc<[String]>),
    Array(TypeId),
    Map(TypeId),
    Record(String, Vec<(String, TypeId)>),
    Union(Vec<TypeId>),
}

/// What a value means beyond its encoding. A logical type that is not known, or does not fit its type, is
/// none, as the specification says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logical {
    Date,
    TimeMillis,
    TimeMicros,
    /// An instant.
    Timestamp(Unit),
    /// Local time, as it was written.
    LocalTimestamp(Unit),
    Decimal {
        precision: u8,
        scale: u8,
    },
    Uuid,
    Duration,
}

/// Unit of a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Millis,
    Micros,
    Nanos,
}

impl Schema {
    /// Parses a schema; its root is type 0.
    ///
    /// # Errors
    /// Why it is no schema, as the end of a sentence about the file.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let json: Value =
            serde_json::from_slice(json).map_err(|error| format!("its schema is no JSON: {error}"))?;
        let mut parser = Parser { types: Vec::new(), names: HashMap::new() };
        parser.parse(&json, "")?;
        Ok(Self { types: parser.types })
    }

    /// A type.
    pub fn get(&self, id: TypeId) -> &Type {
        &self.types[id]
    }
}

struct Parser {
    types: Vec<Type>,
    /// Types by their full names.
    names: HashMap<String, TypeId>,
}

impl Parser {
    /// Adds a type and all below it; gives its place.
    fn parse(&mut self, json: &Value, namespace: &str) -> Result<TypeId, String> {
        match json {
            Value::String(name) => self.named(name, &Map::new(), namespace),
            Value::Array(variants) => {
                let id = self.reserve()?;
                let variants: Result<_, String> =
                    variants.iter().map(|variant| self.parse(variant, namespace)).collect();
                self.types[id] = Type::Union(variants?);
                Ok(id)
            }
            Value::Object(object) => match object.get("type") {
                Some(Value::String(name)) => self.named(name, object, namespace),
                Some(inner @ (Value::Object(_) | Value::Array(_))) => self.parse(inner, namespace),
                _ => Err("its schema has a type without a name".to_owned()),
            },
            other => Err(format!("its schema has {other} in place of a type")),
        }
    }

    fn reserve(&mut self) -> Result<TypeId, String> {
        if self.types.len() == MAX_TYPES {
            return Err(format!("its schema has more than {MAX_TYPES} types"));
        }
        self.types.push(Type::Null);
        Ok(self.types.len() - 1)
    }

    fn named(&mut self, name: &str, object: &Map<String, Value>, namespace: &str) -> Result<TypeId, String> {
        let part = |key: &str| {
            object.get(key).ok_or_else(|| format!("its schema has a type {name} without {key:?}"))
        };
        match name {
            "record" | "error" => return self.record(object, namespace),
            "array" => {
                let id = self.reserve()?;
                self.types[id] = Type::Array(self.parse(part("items")?, namespace)?);
                return Ok(id);
            }
            "map" => {
                let id = self.reserve()?;
                self.types[id] = Type::Map(self.parse(part("values")?, namespace)?);
                return Ok(id);
            }
            _ => {}
        }
        let found = match name {
            "null" => Type::Null,
            "boolean" => Type::Boolean,
            "int" => Type::Int(int_logical(object)),
            "long" => Type::Long(long_logical(object)),
            "float" => Type::Float,
            "double" => Type::Double,
            "bytes" => Type::Bytes(decimal(object, usize::MAX)),
            "string" => Type::Text(is_logical(object, "uuid").then_some(Logical::Uuid)),
            "fixed" => {
                let size = part("size")?.as_u64().and_then(|size| usize::try_from(size).ok());
                let size = size.ok_or("its schema has a fixed type without a size")?;
                Type::Fixed(size, fixed_logical(object, size))
            }
            "enum" => {
                let symbols = part("symbols")?.as_array().ok_or("its schema has an enum without symbols")?;
                let symbols = symbols.iter().map(|symbol| symbol.as_str().map(str::to_owned));
                let symbols = symbols.collect::<Option<Vec<_>>>();
                Type::Enum(symbols.ok_or("its schema has a symbol that is no text")?.into())
            }
            reference => return self.reference(reference, namespace),
        };
        let id = self.reserve()?;
        if matches!(found, Type::Fixed(..) | Type::Enum(_)) {
            self.define(object, namespace, id)?;
        }
        self.types[id] = found;
        Ok(id)
    }

    fn record(&mut self, object: &Map<String, Value>, namespace: &str) -> Result<TypeId, String> {
        let id = self.reserve()?;
        let full = self.define(object, namespace, id)?;
        let namespace = full.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        let fields = object.get("fields").and_then(Value::as_array);
        let fields = fields.ok_or_else(|| format!("its schema has a record {full} without fields"))?;
        let mut parts = Vec::with_capacity(fields.len());
        for field in fields {
            let name = field.get("name").and_then(Value::as_str);
            let name =
                name.ok_or_else(|| format!("its schema has a record {full} with a field without a name"))?;
            let of = field
                .get("type")
                .ok_or_else(|| format!("its schema has a field {full}.{name} without a type"))?;
            parts.push((name.to_owned(), self.parse(of, &namespace)?));
        }
        self.types[id] = Type::Record(full, parts);
        Ok(id)
    }

    /// Remembers a type under its full name.
    fn define(&mut self, object: &Map<String, Value>, namespace: &str, id: TypeId) -> Result<String, String> {
        let name =
            object.get("name").and_then(Value::as_str).ok_or("its schema has a type without a name")?;
        let namespace = object.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
        let full = full_name(name, namespace);
        if self.names.insert(full.clone(), id).is_some() {
            return Err(format!("its schema defines {full} twice"));
        }
        Ok(full)
    }

    fn reference(&self, name: &str, namespace: &str) -> Result<TypeId, String> {
        let found = self.names.get(&full_name(name, namespace)).or_else(|| self.names.get(name));
        found.copied().ok_or_else(|| format!("its schema does not define the type {name}"))
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if namespace.is_empty() || name.contains('.') { name.to_owned() } else { format!("{namespace}.{name}") }
}

fn is_logical(object: &Map<String, Value>, name: &str) -> bool {
    object.get("logicalType").and_then(Value::as_str) == Some(name)
}

fn int_logical(object: &Map<String, Value>) -> Option<Logical> {
    match object.get("logicalType")?.as_str()? {
        "date" => Some(Logical::Date),
        "time-millis" => Some(Logical::TimeMillis),
        _ => None,
    }
}

fn long_logical(object: &Map<String, Value>) -> Option<Logical> {
    match object.get("logicalType")?.as_str()? {
        "time-micros" => Some(Logical::TimeMicros),
        "timestamp-millis" => Some(Logical::Timestamp(Unit::Millis)),
        "timestamp-micros" => Some(Logical::Timestamp(Unit::Micros)),
        "timestamp-nanos" => Some(Logical::Timestamp(Unit::Nanos)),
        "local-timestamp-millis" => Some(Logical::LocalTimestamp(Unit::Millis)),
        "local-timestamp-micros" => Some(Logical::LocalTimestamp(Unit::Micros)),
        "local-timestamp-nanos" => Some(Logical::LocalTimestamp(Unit::Nanos)),
        _ => None,
    }
}

fn fixed_logical(object: &Map<String, Value>, size: usize) -> Option<Logical> {
    if size == 16 && is_logical(object, "uuid") {
        return Some(Logical::Uuid);
    }
    if size == 12 && is_logical(object, "duration") {
        return Some(Logical::Duration);
    }
    decimal(object, size)
}

/// A decimal whose digits fit in so many bytes, and in what Arrow has.
fn decimal(object: &Map<String, Value>, bytes: usize) -> Option<Logical> {
    if !is_logical(object, "decimal") {
        return None;
    }
    let number = |key: &str| object.get(key).map_or(Some(0), Value::as_u64);
    let precision = number("precision").and_then(|digits| u8::try_from(digits).ok())?;
    let scale = number("scale").and_then(|digits| u8::try_from(digits).ok())?;
    // Eight bits hold log10(256) digits.
    let digits = (bytes.min(100) as f64 * 8.0 - 1.0) * std::f64::consts::LOG10_2;
    let fits = precision > 0 && f64::from(precision) <= digits.floor() && scale <= precision;
    fits.then_some(Logical::Decimal { precision, scale })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(json: &str) -> Result<Type, String> {
        Schema::parse(json.as_bytes()).map(|schema| schema.get(0).clone())
    }

    #[test]
    fn names_are_found_in_their_namespace() {
        let schema = Schema::parse(
            br#"{"type": "record", "name": "a.R", "fields": [
                {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["x"]}},
                {"name": "f", "type": ["null", "E"]},
                {"name": "g", "type": "a.E"},
                {"name": "r", "type": ["null", "R"]}
            ]}"#,
        )
        .unwrap();
        let Type::Record(name, fields) = schema.get(0) else { panic!("record") };
        assert_eq!(name, "a.R");
        let Type::Union(variants) = schema.get(fields[1].1) else { panic!("union") };
        assert_eq!(variants[1], fields[0].1);
        assert_eq!(fields[2].1, fields[0].1);
        let Type::Union(variants) = schema.get(fields[3].1) else { panic!("union") };
        assert_eq!(variants[1], 0);
    }

    #[test]
    fn logical_types_that_do_not_fit_are_none() {
        let root = |json: &str| root(json).unwrap();
        assert_eq!(root(r#"{"type": "int", "logicalType": "date"}"#), Type::Int(Some(Logical::Date)));
        assert_eq!(root(r#"{"type": "long", "logicalType": "date"}"#), Type::Long(None));
        let fixed = |size, precision, scale| {
            root(&format!(
                r#"{{"type": "fixed", "name": "f", "size": {size}, "logicalType": "decimal",
                    "precision": {precision}, "scale": {scale}}}"#
            ))
        };
        assert_eq!(fixed(4, 9, 2), Type::Fixed(4, Some(Logical::Decimal { precision: 9, scale: 2 })));
        assert_eq!(fixed(4, 10, 2), Type::Fixed(4, None));
        assert_eq!(fixed(4, 2, 3), Type::Fixed(4, None));
        assert_eq!(
            root(r#"{"type": "fixed", "name": "f", "size": 12, "logicalType": "duration"}"#),
            Type::Fixed(12, Some(Logical::Duration))
        );
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for json in [
            "{",
            "1",
            "\"unknown\"",
            r#"{"type": "record", "name": "r"}"#,
            r#"{"type": "record", "fields": []}"#,
            r#"{"type": "array"}"#,
            r#"{"type": "fixed", "name": "f", "size": -1}"#,
            r#"["null", {"type": "enum", "name": "e", "symbols": [1]}]"#,
        ] {
            assert!(root(json).is_err(), "{json}");
        }
        let deep = format!("{}\"int\"{}", r#"{"type":"array","items":"#.repeat(500), "}".repeat(500));
        assert!(root(&deep).is_err());
    }
}
