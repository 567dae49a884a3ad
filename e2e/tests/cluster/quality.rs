//! Dry runs and files that cannot be read, on real pods.

use anyhow::{Result, ensure};
use kube::api::{Patch, PatchParams};
use longshore_crds::{LoadState, conditions};
use longshore_e2e::run;
use serde_json::json;

use crate::bed::{reason_of, with_table};

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_dry_run_ends_finished_and_loads_once_its_field_is_removed() -> Result<()> {
    run(with_table("dry-run", 20_000, 2, async |bed| {
        bed.namespace.apply(&bed.load("look").with("dryRun", json!({"rows": 5})).yaml()).await?;
        let looked = bed.ended("look").await?;
        ensure!(looked.state == Some(LoadState::Finished), "{looked:?}");
        ensure!(reason_of(&looked, conditions::COMPLETE) == "DryRun", "{:?}", looked.conditions);
        ensure!(looked.scan_rows == Some(20_000) && looked.sink_rows == Some(20_000), "{looked:?}");
        ensure!(looked.table_version.is_none() && looked.error.is_none(), "{looked:?}");
        bed.has_rows(0).await?;

        // The spec is not locked: whoever likes what was said removes the field.
        let remove = Patch::Merge(json!({"spec": {"dryRun": null}}));
        bed.jobs().patch("look", &PatchParams::default(), &remove).await?;
        let loaded = |status: &longshore_crds::LoadJobStatus| {
            status.state == Some(LoadState::Finished) && reason_of(status, conditions::COMPLETE) == "Loaded"
        };
        let status = bed.until_status("look", "FINISHED, Loaded", loaded).await?;
        ensure!(status.run == Some(2) && status.sink_rows == Some(20_000), "{status:?}");
        bed.has_rows(1).await
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_dry_run_of_a_load_that_would_fail_says_so_and_is_finished() -> Result<()> {
    run(with_table("dry-run-fails", 1_000, 1, async |bed| {
        bed.store.server()?.put("shop", "visits/bad.parquet", b"PAR1 no more")?;
        bed.namespace.apply(&bed.load("look").with("dryRun", json!({})).yaml()).await?;
        let looked = bed.ended("look").await?;
        ensure!(looked.state == Some(LoadState::Finished), "{looked:?}");
        let error = looked.error.map(|error| error.error_type);
        ensure!(error.as_deref() == Some("InvalidParquet"), "{error:?}");
        // With the file left out the load is loaded, and says what it lacks.
        let skipping = bed.load("skip").with("onFileError", json!("SkipFile"));
        bed.namespace.apply(&skipping.yaml()).await?;
        let status = bed.ended("skip").await?;
        ensure!(reason_of(&status, conditions::COMPLETE) == "LoadedWithSkippedFiles", "{status:?}");
        ensure!(status.skipped_files == Some(1), "{status:?}");
        ensure!(status.first_errors.iter().any(|error| error.file.ends_with("bad.parquet")), "{status:?}");
        bed.has_rows(1).await
    }))
}
