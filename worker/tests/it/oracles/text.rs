//! Text files that Python wrote.

use std::collections::BTreeMap;

use longshore_crds::format::{CsvOptions, Format, JsonOptions};

use super::python;
use crate::world::{World, column, definition};

#[test]
fn text_that_python_wrote_loads_as_it_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    python("text_files.py", &[folder.path().to_str().unwrap()]);
    let file = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let mut expected: BTreeMap<String, Vec<String>> = serde_json::from_slice(&file("expected.json")).unwrap();
    expected.values_mut().for_each(|values| values.sort());
    // Its last record delimiter is CR LF, and so are line ends within a field: the delimiter is stated.
    let csv = Format::Csv(CsvOptions {
        column_separator: ",".to_owned(),
        row_delimiter: "\\r\\n".to_owned(),
        enclose: Some("\"".to_owned()),
        header: true,
        ..CsvOptions::default()
    });
    let json = Format::Json(JsonOptions { strip_outer_array: true, ..JsonOptions::default() });
    for (name, format) in [
        ("rows.csv", &csv),
        ("rows.csv.gz", &csv),
        ("rows.csv.bz2", &csv),
        ("rows.jsonl", &json),
        ("array.json", &json),
    ] {
        let columns = ["id INT", "big LARGEINT", "real DOUBLE", "v STRING"].map(|text| {
            let (name, data_type) = text.split_once(' ').unwrap();
            column(name, data_type)
        });
        let world = World::with_table(&definition(columns.to_vec()));
        world.put(name, file(name));
        let mut request = world.request("load", name);
        request.sources[0].format = Some(format.clone());
        let report = world.load(request);
        assert_eq!(report.counts.sink_rows, 5_000, "{name}: {report:?}");
        for (column, values) in &expected {
            assert_eq!(&world.sorted(column), values, "{name}, {column}");
        }
    }
}
