//! What an apiserver checks before any rule: the structure of an object against its OpenAPI schema. Unknown
//! fields are errors here, where an apiserver only warns; defaults are filled in.

use std::fmt;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::{Map, Value};

use super::suggest::suggestion;

/// One fault of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the field, `spec.sources[0].paths`; empty: the object.
    pub field: String,
    /// What is wrong, and what is expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.field, self.message)
        }
    }
}

/// Checks `value` against `schema`, fills in defaults, and gives every fault found.
pub fn check(schema: &JSONSchemaProps, value: &mut Value, field: &str) -> Vec<Problem> {
    let mut checker = Checker { problems: Vec::new() };
    checker.value(schema, value, field);
    checker.problems
}

struct Checker {
    problems: Vec<Problem>,
}

impl Checker {
    fn report(&mut self, field: &str, message: impl Into<String>) {
        self.problems.push(Problem { field: field.to_owned(), message: message.into() });
    }

    fn value(&mut self, schema: &JSONSchemaProps, value: &mut Value, field: &str) {
        let expected = schema.type_.as_deref().unwrap_or_default();
        match (expected, value) {
            ("object", Value::Object(fields)) => self.object(schema, fields, field),
            ("array", Value::Array(items)) => self.array(schema, items, field),
            ("string", Value::String(text)) => self.text(schema, text, field),
            ("integer", Value::Number(number)) if number.is_i64() || number.is_u64() => {
                self.number(schema, number.as_f64().unwrap_or_default(), field);
            }
            ("boolean", Value::Bool(_)) => {}
            (_, Value::Null) if schema.nullable == Some(true) => {}
            (_, found) => {
                let hint = match found {
                    Value::Number(_) | Value::Bool(_) if expected == "string" => "; put it in quotes",
                    _ => "",
                };
                self.report(
                    field,
                    format!("expected {}, found {}{hint}", article(expected), described(found)),
                );
            }
        }
    }

    fn object(&mut self, schema: &JSONSchemaProps, fields: &mut Map<String, Value>, field: &str) {
        let Some(properties) = &schema.properties else { return self.map(schema, fields, field) };
        // An absent field and a null are one thing in a manifest.
        fields.retain(|_, value| !value.is_null());
        let unknown: Vec<String> =
            fields.keys().filter(|name| !properties.contains_key(*name)).cloned().collect();
        for name in unknown {
            let known: Vec<&str> = properties.keys().map(String::as_str).collect();
            let hint = suggestion(&name, &known);
            let message = format!("unknown field, expected one of {}{hint}", known.join(", "));
            self.report(&join(field, &name), message);
        }
        for name in schema.required.iter().flatten() {
            if !fields.contains_key(name) {
                self.report(&join(field, name), "required, but not given");
            }
        }
        self.alternatives(schema, fields, field);
        for (name, property) in properties {
            if let (None, Some(default)) = (fields.get(name), &property.default) {
                fields.insert(name.clone(), default.0.clone());
            }
            if let Some(value) = fields.get_mut(name) {
                self.value(property, value, &join(field, name));
            }
        }
    }

    /// An object whose names are the user's, with one schema for all values; without that, one of no fields.
    fn map(&mut self, schema: &JSONSchemaProps, fields: &mut Map<String, Value>, field: &str) {
        let Some(JSONSchemaPropsOrBool::Schema(of_values)) = &schema.additional_properties else {
            for name in fields.keys() {
                self.report(&join(field, name), "unknown field, no field is expected here");
            }
            return;
        };
        self.size(schema.min_properties, schema.max_properties, fields.len(), "entries", field);
        for (name, value) in fields.iter_mut() {
            self.value(of_values, value, &join(field, name));
        }
    }

    /// `oneOf` of required fields: how a choice is written in a structural schema.
    fn alternatives(&mut self, schema: &JSONSchemaProps, fields: &Map<String, Value>, field: &str) {
        let Some(choices) = &schema.one_of else { return };
        let names: Vec<&String> =
            choices.iter().flat_map(|choice| choice.required.iter().flatten()).collect();
        if names.iter().filter(|name| fields.contains_key(**name)).count() != 1 {
            let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
            self.report(field, format!("expected exactly one of {}", names.join(", ")));
        }
    }

    fn array(&mut self, schema: &JSONSchemaProps, items: &mut [Value], field: &str) {
        self.size(schema.min_items, schema.max_items, items.len(), "entries", field);
        let Some(JSONSchemaPropsOrArray::Schema(item_schema)) = &schema.items else { return };
        for (index, item) in items.iter_mut().enumerate() {
            self.value(item_schema, item, &format!("{field}[{index}]"));
        }
        self.list_map_keys(schema, items, field);
    }

    /// Entries of a list-map are told apart by their keys.
    fn list_map_keys(&mut self, schema: &JSONSchemaProps, items: &[Value], field: &str) {
        for key in schema.x_kubernetes_list_map_keys.iter().flatten() {
            for (index, item) in items.iter().enumerate() {
                let earlier = items[..index].iter().position(|other| other.get(key) == item.get(key));
                if let (Some(earlier), Some(value)) = (earlier, item.get(key)) {
                    let message = format!("{value} stands in {field}[{earlier}] already");
                    self.report(&format!("{field}[{index}].{key}"), message);
                }
            }
        }
    }

    fn text(&mut self, schema: &JSONSchemaProps, text: &str, field: &str) {
        self.size(schema.min_length, schema.max_length, text.chars().count(), "characters", field);
        let Some(choices) = &schema.enum_ else { return };
        let choices: Vec<&str> = choices.iter().filter_map(|choice| choice.0.as_str()).collect();
        if !choices.contains(&text) {
            let hint = suggestion(text, &choices);
            let message = format!("`{text}` is not known, expected one of {}{hint}", choices.join(", "));
            self.report(field, message);
        }
    }

    fn number(&mut self, schema: &JSONSchemaProps, number: f64, field: &str) {
        let below = schema.minimum.is_some_and(|minimum| number < minimum);
        let above = schema.maximum.is_some_and(|maximum| number > maximum);
        if below || above {
            let bound = |bound: Option<f64>| bound.map_or(String::new(), |bound| bound.to_string());
            let range = match (schema.minimum, schema.maximum) {
                (Some(minimum), None) => format!("{minimum} or more"),
                (minimum, maximum) => format!("{} to {}", bound(minimum), bound(maximum)),
            };
            self.report(field, format!("{number} is out of range, expected {range}"));
        }
    }

    fn size(&mut self, least: Option<i64>, most: Option<i64>, found: usize, unit: &str, field: &str) {
        let found = i64::try_from(found).unwrap_or(i64::MAX);
        if least.is_some_and(|least| found < least) || most.is_some_and(|most| found > most) {
            let range = match (least, most) {
                (Some(least), None) => format!("at least {least}"),
                (least, most) => format!("{} to {}", least.unwrap_or(0), most.unwrap_or(i64::MAX)),
            };
            self.report(field, format!("{found} {unit}, expected {range}"));
        }
    }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

fn article(expected: &str) -> &str {
    match expected {
        "object" => "fields",
        "array" => "a list",
        "string" => "text",
        "integer" => "an integer",
        "boolean" => "true or false",
        other => other,
    }
}

fn described(found: &Value) -> String {
    match found {
        Value::Null => "nothing".to_owned(),
        Value::Bool(value) => format!("{value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text `{text}`"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "fields".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use longshore_crds::{LoadJob, Table, schema};
    use serde_json::json;

    use super::*;

    fn load_job_problems(spec: Value) -> Vec<String> {
        problems(&schema::<LoadJob>(), spec)
    }

    fn problems(schema: &JSONSchemaProps, mut spec: Value) -> Vec<String> {
        let spec_schema = &schema.properties.as_ref().unwrap()["spec"];
        check(spec_schema, &mut spec, "spec").iter().map(ToString::to_string).collect()
    }

    fn with(field: &str, value: Value) -> Value {
        let mut spec = json!({"table": "t", "sources": [{"paths": ["s3://b/k"]}]});
        spec[field] = value;
        spec
    }

    #[test]
    fn an_unknown_field_is_named_with_its_path_and_what_is_expected() {
        assert_eq!(
            load_job_problems(with("sources", json!([{"paths": ["s3://b/k"], "fromat": {"parquet": {}}}]))),
            [
                "spec.sources[0].fromat: unknown field, expected one of columns, columnsFromPath, format, manifest, onMissingPathKey, paths, s3, set, where; did you mean `format`?"
            ]
        );
        assert_eq!(
            load_job_problems(with(
                "sources",
                json!([{"paths": ["s3://b/k"], "format": {"parquet": {"x": 1}}}])
            )),
            ["spec.sources[0].format.parquet.x: unknown field, no field is expected here"]
        );
    }

    #[test]
    fn values_of_another_type_or_out_of_range_are_named() {
        for (field, value, expected) in [
            ("parallelism", json!("4"), "spec.parallelism: expected an integer, found the text `4`"),
            ("parallelism", json!(257), "spec.parallelism: 257 is out of range, expected 0 to 256"),
            ("timeoutSeconds", json!(0), "spec.timeoutSeconds: 0 is out of range, expected 1 to 259200"),
            ("retry", json!(-1), "spec.retry: -1 is out of range, expected 0 or more"),
            (
                "maxFilterRatio",
                json!(0.1),
                "spec.maxFilterRatio: expected text, found the number 0.1; put it in quotes",
            ),
            ("strictMode", json!("yes"), "spec.strictMode: expected true or false, found the text `yes`"),
            ("sources", json!([]), "spec.sources: 0 entries, expected 1 to 32"),
            ("sources", json!({}), "spec.sources: expected a list, found fields"),
            (
                "sources",
                json!([{"paths": "s3://b/k"}]),
                "spec.sources[0].paths: expected a list, found the text `s3://b/k`",
            ),
            (
                "onMissingColumn",
                json!("fail"),
                "spec.onMissingColumn: `fail` is not known, expected one of Fail, UseDefault; did you mean `Fail`?",
            ),
            (
                "rejectedRecords",
                json!({"limit": -2}),
                "spec.rejectedRecords.limit: -2 is out of range, expected -1 or more",
            ),
            ("label", json!("x".repeat(129)), "spec.label: 129 characters, expected 1 to 128"),
        ] {
            assert_eq!(load_job_problems(with(field, value.clone())), [expected], "{field} {value}");
        }
        let formats = json!([{"paths": ["s3://b/k"], "format": {}}]);
        assert_eq!(
            load_job_problems(with("sources", formats)),
            ["spec.sources[0].format: expected exactly one of parquet, orc, avro, csv, json"]
        );
    }

    #[test]
    fn names_of_a_map_are_the_users_and_its_values_are_checked() {
        let source = |set: Value| with("sources", json!([{"paths": ["s3://b/k"], "set": set}]));
        assert_eq!(load_job_problems(source(json!({"at": "now()", "kind": "'a'"}))), Vec::<String>::new());
        assert_eq!(
            load_job_problems(source(json!({"n": 1}))),
            ["spec.sources[0].set.n: expected text, found the number 1; put it in quotes"]
        );
    }

    #[test]
    fn columns_are_told_apart_by_name() {
        let column = json!({"name": "a", "type": "INT"});
        let spec = json!({"columns": [column, column], "distribution": {"random": {"buckets": 1}}});
        assert_eq!(
            problems(&schema::<Table>(), spec),
            ["spec.columns[1].name: \"a\" stands in spec.columns[0] already"]
        );
    }

    #[test]
    fn defaults_are_filled_in_at_every_depth_and_nulls_are_absent() {
        let schema = schema::<LoadJob>();
        let mut spec = with("label", Value::Null);
        let spec_schema = &schema.properties.as_ref().unwrap()["spec"];
        assert_eq!(check(spec_schema, &mut spec, "spec"), []);
        assert_eq!(spec["timeoutSeconds"], 14_400);
        assert_eq!(spec["rejectedRecords"]["limit"], 1_000);
        assert_eq!(spec["sources"][0]["s3"]["credentials"]["anonymous"], false);
        assert!(spec.get("label").is_none());
    }
}
