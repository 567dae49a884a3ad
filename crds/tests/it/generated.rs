//! The checked-in definitions are what the types say, and fit an apiserver.

use std::path::Path;

use longshore_crds::{definition_file, definitions};
use serde_json::Value;

#[test]
fn the_checked_in_definitions_are_up_to_date() {
    for definition in definitions() {
        let (name, text) = definition_file(&definition).unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "{name} is old; run `cargo run -p longshore-crds --bin crdgen`");
    }
}

#[test]
fn a_definition_fits_the_annotation_of_client_side_apply() {
    for definition in definitions() {
        let bytes = serde_json::to_vec(&definition).unwrap().len();
        assert!(bytes < 262_144, "{} bytes", bytes);
    }
}

#[test]
fn names_are_those_of_the_api() {
    let names: Vec<Value> =
        definitions().iter().map(|d| serde_json::to_value(d).unwrap()["spec"]["names"].take()).collect();
    assert_eq!(names[0]["shortNames"], serde_json::json!(["lst"]));
    assert_eq!(names[1]["shortNames"], serde_json::json!(["lj"]));
    assert_eq!(names[2]["shortNames"], serde_json::json!(["lp"]));
    for name in names {
        assert_eq!(name["categories"], serde_json::json!(["longshore"]));
    }
}

/// Visits each schema of a definition's spec with its path.
fn visit(schema: &Value, path: &str, check: &mut dyn FnMut(&Value, &str)) {
    check(schema, path);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        visit(property, &format!("{path}.{name}"), check);
    }
    if schema["items"].is_object() {
        visit(&schema["items"], &format!("{path}[]"), check);
    }
}

fn spec_schemas(check: &mut dyn FnMut(&Value, &str)) {
    for definition in definitions() {
        let definition = serde_json::to_value(&definition).unwrap();
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
        visit(&schema["properties"]["spec"], "spec", check);
        visit(&schema["properties"]["status"], "status", &mut |schema, path| {
            assert!(schema["format"].as_str().is_none_or(|f| !f.starts_with("uint")), "{path}");
        });
    }
}

#[test]
fn every_list_and_text_of_a_spec_is_bounded() {
    spec_schemas(&mut |schema, path| {
        if schema["type"] == "array" {
            assert!(schema["maxItems"].is_number(), "{path} has no maxItems");
        }
        if schema["type"] == "string" && schema["enum"].is_null() {
            assert!(schema["maxLength"].is_number(), "{path} has no maxLength");
        }
    });
}

#[test]
fn every_field_of_a_spec_explains_itself() {
    spec_schemas(&mut |schema, path| {
        if !path.ends_with("[]") {
            assert!(schema["description"].is_string(), "{path} has no description");
        }
    });
}
