//! A table whose columns come from files, and a load that leaves out what it cannot read, on real pods.

use anyhow::{Context, Result, ensure};
use kube::Api;
use longshore_crds::{ColumnOrigin, LoadState, Table, conditions};
use longshore_e2e::{Manifest, run};
use serde_json::json;

use crate::bed::{Bed, TABLE, reason_of, with_operator, with_table};

/// The table without columns of its own: they are those of the store's files.
fn inferred(bed: &Bed, path: &str) -> String {
    let from = json!({
        "paths": [format!("s3://{path}")],
        "s3": {
            "region": "us-east-1",
            "endpoint": bed.store.endpoint(),
            "forcePathStyle": true,
            "credentials": {"secretRef": {"name": "aws"}},
        },
        "columns": [{"name": "Timestamp", "type": "DATETIME"}],
    });
    Manifest::table(TABLE).with("columns", json!([])).with("inferFrom", from).yaml()
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_table_takes_its_columns_from_files_and_loads_them() -> Result<()> {
    run(with_operator("inferred", 20_000, 2, async |bed| {
        bed.store.secret(&bed.namespace).await?;
        // A column that only one file has, far behind the others.
        bed.store.server()?.put("shop", "more/z.json", br#"{"UserID": 7, "Note": {"a": [1, 2]}}"#)?;
        bed.namespace.apply(&inferred(bed, "shop/{visits,more}/*")).await?;
        let table = bed.ready(TABLE).await?;
        let status = table.status.context("a status")?;
        let found: Vec<String> =
            status.columns.iter().map(|column| format!("{} {}", column.name, column.data_type)).collect();
        for expected in ["Timestamp DATETIME", "BehaviorType STRING", "Note STRUCT<a ARRAY<BIGINT>>"] {
            ensure!(found.iter().any(|column| column == expected), "{expected}: {found:?}");
        }
        ensure!(status.columns.iter().all(|column| column.origin == ColumnOrigin::Inferred), "{status:?}");

        let load = bed.load("visits").with("onMissingColumn", json!("UseDefault"));
        bed.namespace.apply(&load.yaml()).await?;
        bed.loaded("visits", 1).await?;
        ensure!(bed.table_rows().await?.timestamps == 20_000, "every text became a DATETIME");

        // Files are asked once: the table stands whatever becomes of them.
        bed.store.server()?.put("shop", "more/y.json", br#"{"userid": "x"}"#)?;
        bed.namespace.apply(&inferred(bed, "shop/{visits,more}/*")).await?;
        let tables: Api<Table> = bed.namespace.api();
        let again = tables.get(TABLE).await?.status.context("a status")?;
        ensure!(again.columns.len() == status.columns.len(), "{again:?}");
        bed.ready(TABLE).await?;
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_table_whose_files_cannot_be_read_says_why() -> Result<()> {
    run(with_operator("inferred-not", 1_000, 1, async |bed| {
        bed.store.secret(&bed.namespace).await?;
        bed.store.server()?.put("shop", "visits/z.parquet", b"PAR1 no more")?;
        bed.namespace.apply(&inferred(bed, "shop/visits/*")).await?;
        let tables: Api<Table> = bed.namespace.api();
        longshore_e2e::wait::until("the reason", crate::bed::LIMIT, async || {
            let status = tables.get(TABLE).await?.status.unwrap_or_default();
            let ready = status.conditions.iter().find(|condition| condition.type_ == conditions::READY);
            let names = ready.is_some_and(|ready| ready.message.contains("z.parquet"));
            Ok(longshore_e2e::wait::Look::when(names, (), status.conditions))
        })
        .await
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_damaged_file_is_skipped_and_the_load_says_so() -> Result<()> {
    run(with_table("skipped", 20_000, 2, async |bed| {
        // A whole footer, and pages that do not lie where it says: only reading them tells.
        let file = bed.rows.expected.files.first().context("a file")?;
        let mut bytes = std::fs::read(bed.rows.folder.join(&file.name))?;
        bytes.drain(1_000..2_000);
        bed.store.server()?.put("shop", "visits/damaged.parquet", &bytes)?;

        bed.namespace.apply(&bed.load("all").yaml()).await?;
        let failed = bed.ended("all").await?;
        ensure!(failed.state == Some(LoadState::Cancelled), "{failed:?}");
        bed.has_rows(0).await?;

        let skipping = bed.load("skip").with("onFileError", json!("SkipFile"));
        bed.namespace.apply(&skipping.yaml()).await?;
        let status = bed.loaded("skip", 1).await?;
        ensure!(
            reason_of(&status, conditions::COMPLETE) == "LoadedWithSkippedFiles",
            "{:?}",
            status.conditions
        );
        ensure!(status.skipped_files == Some(1), "{:?}", status.skipped_files);
        let named =
            |error: &longshore_crds::RowError| error.file.ends_with("damaged.parquet") && error.row == 0;
        ensure!(status.first_errors.iter().any(named), "{:?}", status.first_errors);
        let events = bed.event_reasons("skip").await?;
        ensure!(events.iter().any(|reason| reason == "LoadedWithSkippedFiles"), "{events:?}");
        Ok(())
    }))
}
