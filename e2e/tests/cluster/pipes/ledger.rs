//! What is known of files stays with the volume, and answers to kubectl.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use longshore_e2e::{Cluster, Namespace, Operator, host_folder, read_table};

use super::*;
use crate::bed::MOVED;

/// Whether a file of a pipe is given up.
fn gave_up(files: u64) -> impl FnMut(&PipeStatus) -> bool {
    move |status| status.error_files == Some(files)
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a58_a_pipe_in_another_namespace_with_the_same_volume_loads_nothing_twice() -> Result<()> {
    run(with_table("pipe-moved-from", 20_000, 10, async |bed| {
        bed.namespace.apply(&bed.pipe(PIPE).yaml()).await?;
        bed.until_loaded(PIPE, 10).await?;
        bed.move_volume("pipes,tables", "pipe-moved-to", async |other| {
            let _operator = Operator::start(other).await?;
            bed.store.secret(other).await?;
            let table = Manifest::table(TABLE).with("storage", json!({"existingClaim": MOVED}));
            other.apply(&table.yaml()).await?;
            bed.put_again("later")?;
            other.apply(&bed.pipe(PIPE).yaml()).await?;
            let pipe = format!("pipe/{PIPE}");
            let wait = ["wait", "--for=jsonpath={.status.loadedFiles}=20", &pipe, "--timeout=90s"];
            other.kubectl(&wait).await?;
            let found = read_table(&host_folder(&other.client, &other.name, MOVED).await?).await?;
            ensure!(found.rows == 2 * bed.rows.expected.rows, "{found:?}");
            Ok(())
        })
        .await
    }))
}

/// The command line under the name of kubectl's plugin.
struct Plugin {
    _folder: tempfile::TempDir,
    program: PathBuf,
}

impl Plugin {
    async fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let program = folder.path().join("kubectl-longshore");
        symlink(Cluster::get().await?.environment.programs.join("longshore"), &program)?;
        Ok(Self { _folder: folder, program })
    }

    /// What it prints; an error unless it ends with 0.
    async fn ask(&self, namespace: &Namespace, arguments: &[&str]) -> Result<String> {
        let mut command = tokio::process::Command::new(&self.program);
        command.args(["-n", &namespace.name, "pipe"]).args(arguments).kill_on_drop(true);
        let output = command.output().await?;
        let (said, wrong) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{arguments:?}: {}: {said}{wrong}", output.status);
        Ok(said.into_owned())
    }
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a56_the_plugin_of_kubectl_answers_for_files_and_puts_them_back() -> Result<()> {
    run(with_table("pipe-plugin", 20_000, 10, async |bed| {
        let bad = "s3://shop/visits/zz-bad.parquet";
        bed.store.server()?.put("shop", "visits/zz-bad.parquet", b"this is no Parquet file")?;
        let retry = json!({"maxAttempts": 1, "backoffSeconds": 1});
        bed.namespace.apply(&bed.pipe(PIPE).with("retry", retry).yaml()).await?;
        bed.until_loaded(PIPE, 10).await?;
        bed.until_pipe(PIPE, "a file in ERROR", LIMIT, gave_up(1)).await?;

        let plugin = Plugin::new().await?;
        let found = plugin.ask(&bed.namespace, &["files", PIPE, "--state", "ERROR"]).await?;
        ensure!(found.contains("zz-bad.parquet") && !found.contains("part-"), "{found}");
        let loaded = format!("s3://shop/visits/{}", bed.rows.expected.files[0].name);
        let found = plugin.ask(&bed.namespace, &["why", &loaded]).await?;
        ensure!(found.contains("loaded") && found.contains("version"), "{found}");
        let found = plugin.ask(&bed.namespace, &["why", bad]).await?;
        ensure!(found.contains("quarantined"), "{found}");

        // The worker that runs is shut out; the next one tries the file, and gives it up again.
        let tried = |status: &PipeStatus| status.failed_files.first().map(|failed| failed.time.clone());
        let first = tried(&bed.pipes().get(PIPE).await?.status.unwrap_or_default());
        let found = plugin.ask(&bed.namespace, &["retry", PIPE, "--file", bad]).await?;
        ensure!(found.contains("1 file"), "{found}");
        let again = |status: &PipeStatus| {
            status.error_files == Some(1) && tried(status).is_some() && tried(status) != first
        };
        bed.until_pipe(PIPE, "the file to be tried again", LIMIT, again).await?;
        bed.has_rows(1).await?;

        plugin.ask(&bed.namespace, &["rebuild-ledger", PIPE]).await?;
        bed.put_again("later")?;
        bed.until_loaded(PIPE, 20).await?;
        bed.has_rows(2).await?;
        // One that lists once has ended: it runs once more.
        bed.edit_pipe(PIPE, json!({"autoIngest": false})).await?;
        bed.until_pipe_state(PIPE, PipeState::Error).await?;
        // No worker stands that tells its image.
        let image = &Cluster::get().await?.environment.image;
        plugin.ask(&bed.namespace, &["retry", PIPE, "--image", image]).await?;
        let again =
            |status: &PipeStatus| status.state == Some(PipeState::Error) && status.run_again.is_some();
        bed.until_pipe(PIPE, "its second end", LIMIT, again).await?;
        bed.has_rows(2).await?;
        let left = bed.namespace.kubectl(&["get", "pods", "-o", "name"]).await?;
        ensure!(!left.contains("-ask-"), "pods of questions are left: {left}");
        Ok(())
    }))
}
