//! Ten thousand loads one after the other: the last cost what the tenth cost, whether the log's folder holds
//! all their commits (none is a day old) or those since the second newest checkpoint.

use std::path::Path;
use std::time::Duration;

use longshore_storage::table::CleanOptions;

use crate::Scale;
use crate::figures::{Figures, Outcome, cpu_ms, median, timed};
use crate::log::{append, create};

/// Loads that are compared.
const COMPARED: usize = 31;
/// Loads over which the processor's time is taken.
const MANY: usize = 400;

/// Loads with their checkpoints. `cleans`: the log is cleaned as if a day had passed.
pub fn measure(scale: &Scale, folder: &Path, cleans: bool, figures: &mut Figures) -> Outcome<()> {
    let mut table = create(&folder.join("table"))?;
    let mut times = Vec::with_capacity(scale.commits);
    let (mut checkpoints, mut folds) = (Vec::new(), Vec::new());
    for number in 0..scale.commits {
        times.push(timed(|| append(&mut table, &format!("load_{number:08}"), number))?.0);
        let (time, made) = timed(|| Ok(table.checkpoint_if_due()?))?;
        if made.is_some() {
            checkpoints.push((number, time));
        }
        if made.is_some() && cleans {
            let clean = CleanOptions { min_age: Duration::ZERO };
            folds.push((number, timed(|| Ok(table.clean_log(&clean)?))?.0));
        }
    }
    // Side by side with a table that is at its tenth load: whatever else the machine does then, it does to both.
    let mut young = create(&folder.join("young"))?;
    (1..10).try_for_each(|number| append(&mut young, &format!("young_{number}"), number))?;
    let (mut tenth, mut last) = (Vec::new(), Vec::new());
    for number in 0..COMPARED {
        tenth.push(timed(|| append(&mut young, &format!("tenth_{number}"), number))?.0);
        last.push(timed(|| append(&mut table, &format!("last_{number}"), number))?.0);
    }
    let (tenth, last) = (median(&tenth), median(&last));
    let processor = |table: &mut _, name: &str| -> Outcome<f64> {
        let before = cpu_ms();
        (0..MANY).try_for_each(|number| append(table, &format!("{name}_{number}"), number))?;
        Ok((cpu_ms() - before) / MANY as f64)
    };
    let (tenth_cpu, last_cpu) = (processor(&mut young, "young_many")?, processor(&mut table, "many")?);
    let names = std::fs::read_dir(table.root().join("_delta_log"))?.count();
    println!("  {} loads, a claim and a commit each; {names} names in the folder", scale.commits);
    figures.plain("processor, the tenth", tenth_cpu, "ms");
    figures.plain("processor, the last", last_cpu, "ms");
    figures.bounded("processor, the last against the tenth", last_cpu / tenth_cpu, 1.2, "x");
    figures.plain("the tenth", tenth, "ms");
    figures.plain("the last", last, "ms");
    figures.bounded("the last against the tenth", last / tenth, 1.2, "x");
    figures.plain("mean of all", times.iter().sum::<f64>() / times.len().max(1) as f64, "ms");
    figures.plain("checkpoints made", checkpoints.len() as f64, "");
    let second_half = checkpoints.iter().filter(|(number, _)| *number >= scale.commits / 2);
    let spent: f64 = second_half.map(|(_, time)| time).sum();
    figures.plain(
        "checkpoints, for each load of the second half",
        spent / (scale.commits as f64 / 2.0),
        "ms",
    );
    let (opening, _) = timed(|| Ok(table.refresh()?))?;
    figures.plain("refresh", opening, "ms");
    Ok(())
}
