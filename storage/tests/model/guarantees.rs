//! Model and code in step: `docs/guarantees.md` says for each rule where the code keeps it and which test
//! shows that, and both are still there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::rules::Rule;

/// How a cell says that the part of the product is not built.
const NOT_BUILT: &str = "not built";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page() -> String {
    std::fs::read_to_string(repository().join("docs/guarantees.md")).expect("docs/guarantees.md")
}

/// The rows of the table of rules: the other cells by the id in the first one.
fn rows(page: &str) -> BTreeMap<String, Vec<String>> {
    let mut rows = BTreeMap::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")) {
        let mut cells = line.split(" | ").map(str::to_owned);
        let Some(id) = cells.next().and_then(|cell| Some(cell.strip_suffix('`')?.to_owned())) else {
            continue;
        };
        if Rule::ALL.iter().any(|rule| rule.id() == id) {
            assert!(rows.insert(id.clone(), cells.collect()).is_none(), "{id} stands twice");
        }
    }
    rows
}

/// What stands between backquotes.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Says what is wrong with `path::function`; the path begins at the root of the repository.
fn missing(place: &str) -> Option<String> {
    let Some((path, function)) = place.split_once("::") else {
        return Some(format!("`{place}` is not path::function"));
    };
    let Ok(text) = std::fs::read_to_string(repository().join(path)) else {
        return Some(format!("`{place}`: there is no file {path}"));
    };
    let declared = ["(", "<"].iter().any(|after| text.contains(&format!("fn {function}{after}")));
    (!declared).then(|| format!("`{place}`: there is no fn {function}"))
}

#[test]
fn each_rule_has_its_code_and_its_test_on_the_page() {
    let rows = rows(&page());
    let mut wrong = Vec::new();
    for rule in Rule::ALL {
        let id = rule.id();
        let Some([text, code, test]) = rows.get(id).map(Vec::as_slice) else {
            wrong.push(format!("{id}: no row with rule, code and test"));
            continue;
        };
        if text != rule.text() {
            wrong.push(format!("{id}: the page says \"{text}\", the model \"{}\"", rule.text()));
        }
        for cell in [code, test] {
            let places: Vec<&str> = quoted(cell).collect();
            if places.is_empty() && !cell.starts_with(NOT_BUILT) {
                wrong.push(format!("{id}: \"{cell}\" names nothing"));
            }
            wrong
                .extend(places.iter().filter_map(|place| missing(place)).map(|what| format!("{id}: {what}")));
        }
    }
    assert!(wrong.is_empty(), "docs/guarantees.md is not in step:\n{}", wrong.join("\n"));
}
