//! `pinfold plan`: what a pass would do. Built without a writer, so it cannot do it.

use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use super::output::Output;
use super::{Global, logging, progress, setup};

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// Read the desired state from this folder (the repository's root) in place of Git
    #[arg(long, value_name = "DIR")]
    source: Option<PathBuf>,
    /// Exit as Terraform does: 0 in sync, 2 drift or withheld work, 1 error
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
}

pub(super) async fn run(args: &PlanArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    logging::command(global.verbose);
    let result = plan(args, global, output).await;
    if !args.detailed_exitcode {
        return result;
    }
    // Terraform has 1 and 2 the other way round. A wrong call stays a wrong call.
    match result {
        Ok(Exit::Differs) => Ok(Exit::Error),
        Ok(Exit::Error) => Ok(Exit::Differs),
        Err(Failure {
            exit: Exit::Error,
            error,
        }) => Err(Failure {
            exit: Exit::Differs,
            error,
        }),
        other => other,
    }
}

async fn plan(args: &PlanArgs, global: &Global, output: Output) -> Result<Exit, Failure> {
    let config = setup::config(global)?;
    let source = setup::source(&config, args.source.as_deref())?;
    let engine = setup::plan_engine(&config).await?;
    let desired = setup::desired(&source, &engine).await?;
    let (scope, policy) = (setup::scope(global), setup::policy(&config, None));
    let report = tokio::select! {
        biased;
        report = engine.plan(&desired, &scope, &policy) => report,
        never = progress::show((engine.progress(), engine.reading()), global, output) => never,
    };
    output.report(&report)
}
