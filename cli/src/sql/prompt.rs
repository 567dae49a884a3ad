//! The prompt: statements end with a semicolon, the arrow keys bring the last ones back.

use longshore_sql::Engine;
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::answer;
use crate::apply::Ended;
use crate::args::SqlArgs;
use crate::data_dir::DataDir;

/// Asks and answers until Ctrl-D, `exit` or `quit`. Ctrl-C ends the query, or drops what was typed.
pub fn run(engine: &Engine, args: &SqlArgs, data_dir: &DataDir, runtime: &Runtime) -> anyhow::Result<Ended> {
    let mut editor = DefaultEditor::new()?;
    let history = data_dir.sql_history();
    if let Some(path) = &history
        && path.exists()
    {
        editor.load_history(path)?;
    }
    println!("tables: {}", engine.tables().join(", "));
    println!("a statement ends with ; and Ctrl-D ends the session");
    let mut typed = String::new();
    loop {
        let prompt = if typed.is_empty() { "longshore> " } else { "        -> " };
        let line = match editor.readline(prompt) {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => {
                typed.clear();
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        };
        if typed.is_empty() && matches!(line.trim(), "exit" | "quit" | "exit;" | "quit;") {
            break;
        }
        typed.push_str(&line);
        typed.push('\n');
        if !typed.trim_end().ends_with(';') {
            if typed.trim().is_empty() {
                typed.clear();
            }
            continue;
        }
        let statement = std::mem::take(&mut typed);
        editor.add_history_entry(statement.trim())?;
        if let Some(path) = &history {
            editor.save_history(path)?;
        }
        if let Err(error) = runtime.block_on(interruptible(engine, &statement, args)) {
            eprintln!("{error:#}");
        }
    }
    Ok(Ended::Done)
}

/// One statement, which Ctrl-C ends.
async fn interruptible(engine: &Engine, statement: &str, args: &SqlArgs) -> anyhow::Result<()> {
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let watch = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
    let answered = answer(engine, statement, args, &cancel).await;
    watch.abort();
    answered
}
