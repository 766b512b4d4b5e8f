//! `pinfold apply`: one pass, as the daemon makes them. An interrupt ends it after the steps in hand.

use std::path::PathBuf;

use clap::Args;
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::stop::on_signal;
use super::{Global, logging, progress, setup};
use crate::domain::{CommitId, DeployWindows};
use crate::telemetry::Telemetry;

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// Read the desired state from this folder (the repository's root) in place of Git
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// Let the pass of this commit change more functions than limits.maxChangedFunctions allows
    #[arg(long, value_name = "COMMIT")]
    acknowledge: Option<CommitId>,
    /// Change functions although the deploy windows of the configuration do not allow it now
    #[arg(long)]
    ignore_windows: bool,
}

pub(super) async fn run(args: &ApplyArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    logging::command(global.verbose);
    let config = setup::config(global)?;
    let source = setup::source(&config, args.source.as_deref())?;
    let engine = setup::apply_engine(&config, &Telemetry::new()?).await?;
    let desired = setup::desired(&source, &engine).await?;
    let mut policy = setup::policy(&config, args.acknowledge.clone());
    if args.ignore_windows {
        policy.windows = DeployWindows::default();
        output.note("the deploy windows of the configuration are not looked at");
    }
    let scope = setup::scope(global);
    let stop = CancellationToken::new();
    let report = tokio::select! {
        biased;
        report = engine.apply(&desired, &scope, &policy, &stop) => report,
        // Never ends before the pass does: it only tells it to stop.
        never = on_signal(&stop) => match never? {},
        never = progress::show((engine.progress(), engine.reading()), global, output) => never,
    };
    let report = report.ok_or_else(|| Failure::error("interrupted before anything was done"))?;
    output.report(&report)
}
