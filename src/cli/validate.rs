//! `pinfold validate`: checks a desired-state tree offline. Asks neither AWS nor Git.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::exit::{Exit, Failure, source_failure};
use super::output::Output;
use super::{Global, OutputFormat, logging, setup};
use crate::adapters::folder::FolderSource;
use crate::domain::{DesiredState, Target};
use crate::plan::{SCHEMA_VERSION, counted, fault_json, faults_text};
use crate::reconcile::{ManifestCache, load};

#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// The repository's root
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(super) async fn run(args: &ValidateArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    logging::command(global.verbose);
    let source = FolderSource::new(&args.dir);
    let targets = targets(&source, global).await?;
    let desired = load(&source, None, &targets, &mut ManifestCache::default())
        .await
        .map_err(|error| source_failure(&error))?;
    print(&desired, &targets, output)?;
    for failed in &desired.failed_targets {
        output.error(&format!("target {}: {}", failed.target, failed.message));
    }
    Ok(if !desired.failed_targets.is_empty() {
        Exit::Error
    } else if desired.faults.is_empty() {
        Exit::Ok
    } else {
        Exit::Differs
    })
}

/// Returns the configuration's targets, or without one each folder of the first level.
async fn targets(source: &FolderSource, global: &Global) -> Result<Vec<Target>, Failure> {
    if global.config.is_some() {
        return Ok(setup::config(global)?
            .targets
            .into_iter()
            .map(|target| target.target)
            .collect());
    }
    setup::folder_targets(source, global).await
}

fn print(desired: &DesiredState, targets: &[Target], output: Output) -> Result<(), Failure> {
    let functions = desired.functions.len() + desired.faulty.len();
    match output.format {
        OutputFormat::Json => output.json(&json!({
            "schemaVersion": SCHEMA_VERSION,
            "functions": functions,
            "faults": desired.faults.iter().map(fault_json).collect::<Vec<_>>(),
        })),
        OutputFormat::Text if desired.faults.is_empty() => {
            if targets.is_empty() {
                output.note("no folder of the first level holds manifests; --config names targets elsewhere");
            }
            let (functions, targets) = (counted(functions, "function"), counted(targets.len(), "target"));
            output.data(&format!("{functions} in {targets}, no faults\n"))
        }
        OutputFormat::Text => output.data(&faults_text(&desired.faults)),
    }
}
