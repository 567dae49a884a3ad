//! A volume that is full or read-only: in a user and mount namespace of the test's own, so that they mean the
//! same for root.

use std::process::{Command, Output};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use longshore_crds::{LoadReport, Outcome, exit};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::world::{World, batch, column, definition};

/// 200,000 random numbers: 1.6 MB that no encoding makes smaller.
fn world() -> World {
    let world = World::with_table(&definition(vec![column("n", "BIGINT")]));
    let mut random = StdRng::seed_from_u64(3);
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..200_000).map(|_| random.random())));
    world.put_batch("a.parquet", &batch(vec![("n", numbers)]));
    world
}

/// Runs a worker after `prepare`, a shell text that may use `$TABLE`, in namespaces where it is root. What the
/// worker left in a mount of that namespace is copied to `$OUT` afterwards.
fn load_in_namespace(world: &World, prepare: &str) -> LoadReport {
    let request = world.folder.path().join("request.json");
    std::fs::write(&request, serde_json::to_vec(&world.request("load", "*.parquet")).unwrap()).unwrap();
    let script = format!(
        "set -e; {prepare}; set +e; \"$WORKER\" load --request \"$REQUEST\" --table-dir \"$TABLE\" \
         --secrets-dir \"$SECRETS\" --memory 134217728; code=$?; cp -a \"$TABLE/.\" \"$OUT/\"; exit $code"
    );
    let out = world.folder.path().join("after");
    std::fs::create_dir_all(&out).unwrap();
    let output: Output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "bash", "-c", &script])
        .env("WORKER", env!("CARGO_BIN_EXE_longshore-worker"))
        .env("REQUEST", &request)
        .env("TABLE", world.root())
        .env("SECRETS", world.secrets())
        .env("OUT", &out)
        .output()
        .expect("unshare runs; it is part of util-linux");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!(
            "{error}: {}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    })
}

#[test]
fn a_full_disk_is_named_and_nothing_is_visible() {
    let world = world();
    // The table moves into a small tmpfs that it shares with a ballast.
    let prepare = "mkdir \"$TABLE.copy\"; cp -a \"$TABLE/.\" \"$TABLE.copy/\"; \
                   mount -t tmpfs -o size=1m tmpfs \"$TABLE\"; cp -a \"$TABLE.copy/.\" \"$TABLE/\"";
    let report = load_in_namespace(&world, prepare);
    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Failed, "DiskFull"), "{report:?}");
    assert_eq!(report.exit_code, exit::TRANSIENT);
    let after = world.folder.path().join("after");
    let table =
        longshore_storage::table::Table::open(Arc::new(longshore_storage::durable::Posix), &after).unwrap();
    assert_eq!(table.totals().unwrap().rows, 0);
    let left: Vec<_> = crate::world::tree(&after)
        .into_keys()
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "parquet"))
        .collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new(), "the failed task removed its segments");
}

#[test]
fn a_read_only_volume_is_named_and_untouched() {
    let world = world();
    let before = crate::world::tree(&world.root());
    let prepare = "mount --bind \"$TABLE\" \"$TABLE\"; mount -o remount,bind,ro \"$TABLE\"";
    let report = load_in_namespace(&world, prepare);
    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Failed, "ReadOnlyVolume"), "{report:?}");
    assert_eq!(crate::world::tree(&world.root()), before);
}
