//! Tables as `kubectl` prints them: columns from the CustomResourceDefinition.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceColumnDefinition;
use k8s_openapi::jiff::Timestamp;
use longshore_crds::definition;
pub use longshore_worker::ask::grid;
use serde_json::Value;

use crate::objects::Kind;

/// Objects of one kind with the printer columns of their definition; `wide` shows all of them.
pub fn objects<K: Kind>(objects: &[K], wide: bool, now: Timestamp) -> Result<String, serde_json::Error> {
    let columns = printer_columns::<K>(wide);
    let name = std::iter::once("NAME".to_owned());
    let header: Vec<String> = name.chain(columns.iter().map(|column| column.name.to_uppercase())).collect();
    let mut rows = Vec::with_capacity(objects.len());
    for object in objects {
        let value = serde_json::to_value(object)?;
        let cells = columns.iter().map(|column| cell(column, &value, now));
        rows.push(std::iter::once(object.name_any()).chain(cells).collect());
    }
    Ok(grid(&header, &rows))
}

fn printer_columns<K: Kind>(wide: bool) -> Vec<CustomResourceColumnDefinition> {
    let versions = definition::<K>().spec.versions;
    let columns = versions.into_iter().filter_map(|version| version.additional_printer_columns).flatten();
    columns.filter(|column| wide || column.priority.unwrap_or(0) == 0).collect()
}

fn cell(column: &CustomResourceColumnDefinition, object: &Value, now: Timestamp) -> String {
    match (at_path(object, &column.json_path), column.type_.as_str()) {
        (Some(Value::String(text)), "date") => text
            .parse::<Timestamp>()
            .map_or_else(|_| text.clone(), |time| age(now.as_second() - time.as_second())),
        (Some(Value::String(text)), _) => text.replace('\n', " "),
        (Some(value), _) if !value.is_null() => value.to_string(),
        _ => String::new(),
    }
}

/// The part of JSONPath that printer columns use: `.a.b` and `.a[?(@.b=="value")].c`.
fn at_path<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let mut value = object;
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(filter) = rest.strip_prefix("[?(@.") {
            let (condition, after) = filter.split_once(")]")?;
            let (name, equals) = condition.split_once("==")?;
            let equals = equals.trim_matches('"');
            value = value.as_array()?.iter().find(|item| item[name] == equals)?;
            rest = after;
        } else {
            let field = rest.strip_prefix('.').unwrap_or(rest);
            let end = field.find(['.', '[']).unwrap_or(field.len());
            value = value.get(&field[..end])?;
            rest = &field[end..];
        }
    }
    Some(value)
}

/// An age in seconds as `kubectl` writes it: `42s`, `3m5s`, `2h`, `4d`.
fn age(seconds: i64) -> String {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;
    let seconds = seconds.max(0);
    let two = |large: i64, large_unit: char, small: i64, small_unit: char| {
        let (whole, part) = (seconds / large, seconds % large / small);
        if part == 0 {
            format!("{whole}{large_unit}")
        } else {
            format!("{whole}{large_unit}{part}{small_unit}")
        }
    };
    match seconds {
        s if s < 2 * MINUTE => format!("{s}s"),
        s if s < 10 * MINUTE => two(MINUTE, 'm', 1, 's'),
        s if s < 3 * HOUR => format!("{}m", s / MINUTE),
        s if s < 8 * HOUR => two(HOUR, 'h', MINUTE, 'm'),
        s if s < 2 * DAY => format!("{}h", s / HOUR),
        s if s < 8 * DAY => two(DAY, 'd', HOUR, 'h'),
        s if s < 2 * YEAR => format!("{}d", s / DAY),
        _ => two(YEAR, 'y', DAY, 'd'),
    }
}

#[cfg(test)]
mod tests {
    use longshore_crds::{LoadJob, Table};
    use serde_json::json;

    use super::*;

    #[test]
    fn ages_read_like_kubectl() {
        for (seconds, expected) in [
            (-5, "0s"),
            (31, "31s"),
            (119, "119s"),
            (125, "2m5s"),
            (600, "10m"),
            (4 * 3600 + 60, "4h1m"),
            (9 * 3600, "9h"),
            (3 * 86_400, "3d"),
            (30 * 86_400, "30d"),
            (800 * 86_400, "2y70d"),
        ] {
            assert_eq!(age(seconds), expected, "{seconds}");
        }
    }

    #[test]
    fn load_jobs_have_the_columns_of_the_loads_view() {
        let job: LoadJob = serde_json::from_value(json!({
            "apiVersion": "longshore.dev/v1alpha1", "kind": "LoadJob",
            "metadata": {"name": "user-behavior", "creationTimestamp": "2024-01-01T00:00:00Z"},
            "spec": {"table": "t", "sources": [{"paths": ["s3://b/k"]}]},
            "status": {"state": "LOADING", "progress": "LOAD:39%", "scanRows": 4_620_288, "filteredRows": 0}
        }))
        .unwrap();
        let now: Timestamp = "2024-01-01T00:00:31Z".parse().unwrap();
        assert_eq!(
            objects(std::slice::from_ref(&job), false, now).unwrap(),
            "NAME            STATE     PROGRESS   SCAN ROWS   FILTERED   UNSELECTED   SINK ROWS   AGE\n\
             user-behavior   LOADING   LOAD:39%   4620288     0                                   31s\n"
        );
        assert!(objects(&[job], true, now).unwrap().contains("TABLE"));
    }

    #[test]
    fn a_condition_is_found_by_its_type() {
        let table: Table = serde_json::from_value(json!({
            "apiVersion": "longshore.dev/v1alpha1", "kind": "Table", "metadata": {"name": "t"},
            "spec": {"columns": [{"name": "a", "type": "INT"}], "distribution": {"random": {"buckets": 1}}},
            "status": {"version": 3, "conditions": [
                {"type": "Stalled", "status": "False", "reason": "R", "message": "",
                 "lastTransitionTime": "2024-01-01T00:00:00Z"},
                {"type": "Ready", "status": "True", "reason": "R", "message": "",
                 "lastTransitionTime": "2024-01-01T00:00:00Z"}]}
        }))
        .unwrap();
        let text = objects(&[table], false, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect::<Vec<_>>(),
            [vec!["NAME", "VERSION", "ROWS", "BYTES", "FILES", "READY", "AGE"], vec!["t", "3", "True"]]
        );
    }
}
