//! One Table: checked, then made.

use anyhow::Context;
use kube::ResourceExt;
use longshore_crds::{LastLoad, Table, TableStatus, conditions, reasons};
use longshore_worker::table::{definition, origin, resolved};
use tokio_util::sync::CancellationToken;

use crate::data_dir::DataDir;
use crate::manifest::{Problem, check_rules};
use crate::objects::{Kind, admit, now};
use crate::tables;

/// Every fault of a Table that can be found without touching its volume.
pub fn check(table: &Table, data_dir: &DataDir) -> anyhow::Result<Vec<Problem>> {
    let old = data_dir.objects().get::<Table>(&table.name_any())?;
    let mut new = table.clone();
    new.status = old.as_ref().and_then(|old| old.status.clone());
    if let Err(problems) = check_rules(&new, old.as_ref()) {
        return Ok(problems);
    }
    if table.spec.infer_from.is_some() {
        // What it is to be is known when the files are.
        return Ok(Vec::new());
    }
    let fault = definition(&table.spec).err();
    Ok(fault.map(|error| Problem { field: String::new(), message: error.to_string() }).into_iter().collect())
}

/// Makes the table, or finds that it is there.
pub async fn apply(mut table: Table, data_dir: &DataDir, cancel: &CancellationToken) -> anyhow::Result<()> {
    let objects = data_dir.objects();
    let name = table.name_any();
    let old = objects.get::<Table>(&name)?;
    let change = admit(&mut table, old.as_ref());
    let root = data_dir.table(&name);
    let spec = resolved(&table.spec, &root, &crate::files::connect(data_dir, cancel)).await?;
    let read = tables::declare(&root, &definition(&spec)?, origin(&table.spec))?;
    table.status = Some(ready(read, old.and_then(|old| old.status), table.metadata.generation));
    objects.put(&table)?;
    println!("{} {}", table.title(), change.name());
    Ok(())
}

/// Writes down what the table holds after a load.
pub fn refresh(name: &str, last_load: Option<LastLoad>, data_dir: &DataDir) -> anyhow::Result<()> {
    let objects = data_dir.objects();
    let Some(mut table) = objects.get::<Table>(name)? else { return Ok(()) };
    let read = tables::read(&data_dir.table(name), origin(&table.spec))
        .context("the table cannot be read after the load")?;
    let mut status = ready(read, table.status.take(), table.metadata.generation);
    status.last_load = last_load.or(status.last_load);
    table.status = Some(status);
    objects.put(&table)?;
    Ok(())
}

fn ready(mut read: TableStatus, old: Option<TableStatus>, generation: Option<i64>) -> TableStatus {
    let old = old.unwrap_or_default();
    read.conditions = old.conditions;
    read.last_load = old.last_load;
    read.observed_generation = generation;
    let now = now();
    for (type_, holds) in [(conditions::READY, true), (conditions::STALLED, false)] {
        conditions::set(&mut read.conditions, type_, holds, reasons::TABLE_READY, "", generation, &now);
    }
    read
}
