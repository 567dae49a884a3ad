//! Ways to run a load, whatever the format.

use longshore_crds::{DryRun, LoadMode, LoadRequest, Outcome};
use longshore_storage::schema::{PartitionBy, PartitionTerm, TableDefinition};
use serde_json::{Value, json};

use super::{ALL, FileFormat, counts, file, world};
use crate::load::rejected;
use crate::world::{World, column, definition};

fn rows(format: FileFormat, ids: std::ops::Range<i64>) -> Vec<u8> {
    let row = |id: i64| vec![json!(id), json!(if id % 50 == 7 { "bad" } else { "1" })];
    let rows: Vec<Vec<Value>> = ids.map(row).collect();
    file(format, &["id int", "v text"], &rows)
}

#[test]
pub fn a_dry_run_counts_what_the_load_counts() {
    for &format in ALL {
        let world = world(vec![column("v", "INT")]);
        for number in 0..3 {
            world.put(
                &format!("{number}.{}", format.suffix()),
                rows(format, number * 100..(number + 1) * 100),
            );
        }
        let mut request = format.request(&world, "load", "*");
        request.max_filter_ratio = "0.02".to_owned();
        let dry_run = Some(DryRun { errors: 100, rows: 3 });
        let looked = world.load(LoadRequest { dry_run, ..request.clone() });
        assert_eq!((looked.outcome, world.row_count()), (Outcome::DryRun, 0), "{format:?} {looked:?}");
        let loaded = world.load(request);
        assert_eq!(counts(&loaded), (300, 294, 6, 0), "{format:?} {loaded:?}");
        assert_eq!(looked.counts, loaded.counts, "{format:?}");
        assert_eq!(looked.dry_run.unwrap().reason, loaded.reason, "{format:?}");
    }
}

#[test]
pub fn a_manifest_names_the_files() {
    for &format in ALL {
        let world = world(vec![]);
        let suffix = format.suffix();
        for number in 0..3 {
            world.put(&format!("{number}.{suffix}"), rows(format, number * 100..(number + 1) * 100));
        }
        let listed = json!([{"key": format!("0.{suffix}")}, {"key": format!("2.{suffix}")}]);
        world.put("lists/m.json", listed.to_string());
        let mut request = format.request(&world, "load", "x");
        request.sources[0].paths.clear();
        request.sources[0].manifest = Some(format!("s3://{}/lists/m.json", world.bucket));
        let report = world.load(request);
        assert_eq!(
            (counts(&report), report.counts.file_number),
            ((200, 200, 0, 0), 2),
            "{format:?} {report:?}"
        );
    }
}

#[test]
pub fn an_overwrite_replaces_what_was_there() {
    for &format in ALL {
        let world = world(vec![]);
        let suffix = format.suffix();
        world.put(&format!("old.{suffix}"), rows(format, 0..100));
        world.put(&format!("new.{suffix}"), rows(format, 500..520));
        world.load(format.request(&world, "old", &format!("old.{suffix}")));
        let request = format.request(&world, "new", &format!("new.{suffix}"));
        let report = world.load(LoadRequest { mode: LoadMode::Overwrite, ..request });
        assert_eq!(counts(&report), (20, 20, 0, 0), "{format:?} {report:?}");
        assert_eq!(world.sorted("id"), (500..520).map(|id| id.to_string()).collect::<Vec<_>>(), "{format:?}");
    }
}

#[test]
pub fn rows_go_to_their_partitions() {
    for &format in ALL {
        let columns = vec![column("id", "BIGINT"), column("kind", "STRING")];
        let world = World::with_table(&TableDefinition {
            partition_by: PartitionBy::Expression(vec![PartitionTerm::Column("kind".to_owned())]),
            ..definition(columns)
        });
        let key = format!("a.{}", format.suffix());
        let rows: Vec<Vec<Value>> =
            (0..90).map(|id| vec![json!(id), json!(["a", "b", "c"][id % 3])]).collect();
        world.put(&key, file(format, &["id int", "kind text"], &rows));
        let report = world.load(format.request(&world, "load", &key));
        assert_eq!(counts(&report), (90, 90, 0, 0), "{format:?} {report:?}");
        let found = world.table().partitions().unwrap();
        assert_eq!(
            found.iter().map(|found| found.totals.rows).collect::<Vec<_>>(),
            [30, 30, 30],
            "{format:?}"
        );
    }
}

#[test]
pub fn two_tasks_and_many_files_give_every_row_once() {
    for &format in ALL {
        let world = world(vec![column("v", "INT")]);
        for number in 0..20 {
            world.put(
                &format!("{number}.{}", format.suffix()),
                rows(format, number * 100..(number + 1) * 100),
            );
        }
        let mut request = format.request(&world, "load", "*");
        request.max_filter_ratio = "1".to_owned();
        request.rejected_records_limit = -1;
        request.execution.task_bytes = Some(1);
        request.execution.parallelism = 3;
        let report = world.load(request);
        assert_eq!(counts(&report), (2_000, 1_960, 40, 0), "{format:?} {report:?}");
        assert_eq!(rejected(&world, &report).len(), 40, "{format:?}");
        let mut ids: Vec<i64> = world.sorted("id").iter().map(|id| id.parse().unwrap()).collect();
        ids.sort_unstable();
        let expected: Vec<i64> = (0..2_000).filter(|id| id % 50 != 7).collect();
        assert_eq!(ids, expected, "{format:?}");
    }
}
