//! docs/operations.md explains each reason, and none that there is not.

use std::collections::BTreeSet;
use std::path::Path;

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The values of the constants of `crds::reasons`.
fn constants() -> BTreeSet<String> {
    let text = read("crds/src/reasons.rs");
    let values = text.lines().filter(|line| line.starts_with("pub const"));
    values.filter_map(|line| line.split('"').nth(1)).map(str::to_owned).collect()
}

#[test]
fn every_reason_is_explained() {
    let page = read("docs/operations.md");
    let explained: BTreeSet<String> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| line.split('`').nth(1))
        .map(str::to_owned)
        .collect();
    let missing: Vec<_> = constants().difference(&explained).cloned().collect();
    assert!(missing.is_empty(), "docs/operations.md does not explain {missing:?}");
}

#[test]
fn every_field_of_a_table_is_described() {
    let page = read("docs/table.md");
    let definition = longshore_crds::schema::<longshore_crds::Table>();
    let spec = &definition.properties.unwrap()["spec"];
    for (name, schema) in spec.properties.iter().flatten() {
        assert!(page.contains(&format!("`{name}`")), "docs/table.md does not describe spec.{name}");
        if name == "worker" {
            continue;
        }
        for part in schema.properties.iter().flatten().map(|(part, _)| part) {
            let named = page.contains(&format!("`{name}.{part}`"));
            assert!(named, "docs/table.md does not describe spec.{name}.{part}");
        }
    }
}
