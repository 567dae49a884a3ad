//! What each commit does to a table, one after the other: a few lines a kind, written from the design.

use super::replay::State;
use super::setting::Kind;

const CLOSED: i64 = (1 << 20) - 1;
const RUN_1: i64 = 1 << 20;

/// A commit, as far as it was prepared.
#[derive(Debug, Clone)]
pub struct Step {
    pub kind: Kind,
    pub role: usize,
    /// The label that it is about, or the ledger.
    pub label: String,
    /// Number of its claim, or of its batch; 0: none.
    pub claim: i64,
    /// Number of its epoch; 0: none.
    pub epoch: i64,
    /// What it was made from.
    pub from: State,
}

/// Does a commit; how it ends.
pub fn apply(state: &mut State, step: &Step) -> String {
    match step.kind {
        kind if kind.mode().is_some() => load(state, step),
        Kind::Compact => compact(state, step),
        Kind::AddColumn | Kind::AddColumnOtherwise => match add_column(state, step.kind) {
            Ok(true) => {
                let number = state.number("schema") + 1;
                state.txns.insert("schema".to_owned(), number);
                "altered".to_owned()
            }
            Ok(false) => "unchanged".to_owned(),
            Err(refused) => refused,
        },
        Kind::Claim => claim(state, step),
        Kind::Batch => batch(state, step),
        Kind::PipeEpoch => {
            let id = format!("pipe-epoch/{}", step.label);
            let number = state.number(&id) + 1;
            state.txns.insert(id, number);
            format!("epoch {number}")
        }
        Kind::Epoch => {
            let number = state.number("maintenance/compact") + 1;
            state.txns.insert("maintenance/compact".to_owned(), number);
            format!("epoch {number}")
        }
        _ => close(state, step),
    }
}

/// Whether a column came.
fn add_column(state: &mut State, kind: Kind) -> Result<bool, String> {
    let Some(column) = kind.new_column() else { return Ok(false) };
    let data_type = column.data_type.to_string();
    match state.columns.iter().find(|(name, _)| name.eq_ignore_ascii_case(&column.name)) {
        Some((_, other)) if *other == data_type => Ok(false),
        Some(_) => Err("ColumnConflict".to_owned()),
        None => {
            state.columns.push((column.name, data_type));
            Ok(true)
        }
    }
}

fn load(state: &mut State, step: &Step) -> String {
    let id = format!("load/{}", step.label);
    if state.txns.contains_key(&id) {
        return "AlreadyLoaded".to_owned();
    }
    if state.number(&format!("claim/{}", step.label)) != step.claim {
        return "ClaimLost".to_owned();
    }
    if let Err(refused) = add_column(state, step.kind) {
        return refused;
    }
    match step.kind {
        Kind::OverwriteTable => state.files.clear(),
        // The only new file lies in p-a.
        Kind::OverwritePartition | Kind::OverwriteDynamic => {
            state.files.retain(|_, (partition, _)| partition != "p-a");
        }
        _ => {}
    }
    let path = format!("p-a/b-00001/n-{}.parquet", step.role);
    state.files.insert(path, ("p-a".to_owned(), 10));
    state.txns.insert(id, step.claim);
    "committed".to_owned()
}

fn batch(state: &mut State, step: &Step) -> String {
    if state.number(&format!("pipe-epoch/{}", step.label)) != step.epoch {
        return "PipeEpochLost".to_owned();
    }
    let path = format!("p-a/b-00001/n-{}.parquet", step.role);
    state.files.insert(path, ("p-a".to_owned(), 10));
    state.txns.insert(format!("pipe/{}", step.label), step.claim);
    "committed".to_owned()
}

fn compact(state: &mut State, step: &Step) -> String {
    if state.number("maintenance/compact") != step.epoch {
        return "dropped: epoch".to_owned();
    }
    if state.columns != step.from.columns {
        return "dropped: schema".to_owned();
    }
    let is_input = |partition: &str| partition == "p-a";
    let inputs = step.from.files.iter().filter(|(_, (partition, _))| is_input(partition));
    let inputs: Vec<(String, u64)> = inputs.map(|(path, (_, rows))| (path.clone(), *rows)).collect();
    if !inputs.iter().all(|(path, _)| state.files.contains_key(path)) {
        return "dropped: input".to_owned();
    }
    inputs.iter().for_each(|(path, _)| {
        state.files.remove(path);
    });
    let rows = inputs.iter().map(|(_, rows)| rows).sum();
    let path = format!("p-a/b-00001/c-{}.parquet", step.role);
    state.files.insert(path, ("p-a".to_owned(), rows));
    state.txns.insert("maintenance/compact-commit".to_owned(), (step.epoch << 20) + 1);
    "committed".to_owned()
}

fn claim(state: &mut State, step: &Step) -> String {
    if state.txns.contains_key(&format!("load/{}", step.label)) {
        return "AlreadyLoaded".to_owned();
    }
    let id = format!("claim/{}", step.label);
    let attempt = (state.number(&id) & CLOSED) + 1;
    if attempt > CLOSED {
        return "RunPassed".to_owned();
    }
    state.txns.insert(id, RUN_1 + attempt);
    format!("attempt {attempt}")
}

fn close(state: &mut State, step: &Step) -> String {
    if state.txns.contains_key(&format!("load/{}", step.label)) {
        return "AlreadyLoaded".to_owned();
    }
    let id = format!("claim/{}", step.label);
    let newest = state.number(&id);
    if newest == RUN_1 + CLOSED {
        return "closed".to_owned();
    }
    if step.kind == Kind::CloseOwnRun && newest != step.claim {
        return "superseded".to_owned();
    }
    state.txns.insert(id, RUN_1 + CLOSED);
    "closed".to_owned()
}
