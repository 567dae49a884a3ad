//! `longshore-light-s3`: serves a folder as S3 at a small cost of CPU; see the library's `light_s3`.
#![allow(rustdoc::invalid_html_tags, reason = "doc comments of arguments are what --help prints")]

use std::path::PathBuf;

use clap::Parser;
use longshore_bench::light_s3;

/// Serves DIR/<bucket>/<key> to any signature. Prints its endpoint, and ends with its standard input.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Folder whose folders are buckets.
    #[arg(long)]
    data_dir: PathBuf,
    /// Address to listen on; port 0 takes any free port.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // A parent that dies closes the pipe: no server is left behind.
    std::thread::spawn(|| {
        let ended = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(i32::from(ended.is_err()));
    });
    let server = light_s3::Server::bind(&arguments.data_dir, &arguments.listen).await?;
    println!("{}", server.endpoint());
    server.run().await;
    Ok(())
}
