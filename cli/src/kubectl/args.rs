//! Arguments of the plugin.

use clap::{Args, Parser, Subcommand};

use crate::pipe::PipeArgs;

const EXAMPLES: &str = "\
Examples:
  # which files of a pipe are quarantined, and why
  kubectl longshore pipe files visits --state ERROR

  # what became of one file
  kubectl longshore pipe why s3://lake/visits/2024-01-01/a.parquet

  # put files that were given up back, while the pipe runs
  kubectl longshore pipe retry visits
  kubectl longshore pipe retry visits --file s3://lake/visits/2024-01-01/a.parquet

A pod with the table's volume answers, and is deleted. It needs the rights to read Pipes and Tables, and to create,
read and delete Pods and read their logs; it has no token of its own.";

/// Asks the tables of a cluster what only their volumes know.
#[derive(Debug, Parser)]
#[command(name = "kubectl longshore", bin_name = "kubectl longshore", version, after_help = EXAMPLES)]
pub struct Plugin {
    #[command(flatten)]
    pub cluster: Cluster,
    /// Image of the pod; default: that of the workers
    #[arg(long, global = true, value_name = "IMAGE")]
    pub image: Option<String>,
    /// Seconds until the pod must have started
    #[arg(long, global = true, default_value_t = 300, value_name = "SECONDS")]
    pub timeout: u64,
    /// What to do
    #[command(subcommand)]
    pub command: PluginCommand,
}

/// Which cluster, as kubectl is told.
#[derive(Debug, Default, Args)]
pub struct Cluster {
    /// Namespace of the objects; default: that of the context
    #[arg(short, long, global = true)]
    pub namespace: Option<String>,
    /// Context of the kubeconfig
    #[arg(long, global = true)]
    pub context: Option<String>,
    /// The kubeconfig
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Ask a pipe's ledger: its files, why one is not loaded; put files back
    Pipe(PipeArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Plugin::command().debug_assert();
    }
}
