//! The command line: one command a file, exit codes, and the composition root that wires adapters to the core.

mod apply;
mod completions;
mod demo;
mod exit;
mod git_worker;
mod hints;
mod logging;
mod man;
mod notifications;
mod output;
mod plan;
mod progress;
mod reload;
mod run;
mod sandbox;
mod schema;
mod setup;
mod status;
mod stop;
mod traces;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use exit::{Exit, Failure};
use output::Output;

use crate::adapters::git::WORKER_COMMAND;
use crate::domain::{FunctionGlob, TargetName};

/// Keeps AWS Lambda functions and aliases at the versions that Git names.
#[derive(Debug, Parser)]
#[command(name = "pinfold", version, max_term_width = 100, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

/// Flags that every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// The daemon's configuration file
    #[arg(long, global = true, env = "PINFOLD_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// How results are printed
    #[arg(long, short, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    output: OutputFormat,
    /// Only this target
    #[arg(long, global = true, value_name = "NAME")]
    target: Option<TargetName>,
    /// Only functions whose names match
    #[arg(long, global = true, value_name = "GLOB")]
    function: Option<FunctionGlob>,
    /// When to use colour; NO_COLOR is honoured
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: Color,
    /// Say less
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Say more; twice for details
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show Pinfold at work on a sandbox: no AWS account, no network
    Demo(demo::DemoArgs),
    /// Run the daemon
    Run,
    /// Show what a pass would do, and do nothing
    Plan(plan::PlanArgs),
    /// Make one pass
    Apply(apply::ApplyArgs),
    /// Check a desired-state repository, offline
    Validate(validate::ValidateArgs),
    /// Ask a running daemon how things stand
    Status(status::StatusArgs),
    /// Serve an embedded Lambda and S3, for rehearsals and tests
    Sandbox(sandbox::SandboxArgs),
    /// Print the JSON Schema of a file format
    Schema(schema::SchemaArgs),
    /// Print a shell's completions
    Completions(completions::CompletionsArgs),
    /// Print the man page, or write one for each command
    Man(man::ManArgs),
    /// Do one Git operation for a daemon or command that started this process
    #[command(name = WORKER_COMMAND, hide = true)]
    GitWorker,
}

/// Reads the arguments of the process and runs the command.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers; everything else is a mistake in the call. Nothing can be done about a
            // standard error that is closed.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.into()
            } else {
                Exit::Ok.into()
            };
        }
    };
    let output = Output::new(cli.global.output, cli.global.color, cli.global.quiet);
    match run(cli, output) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output.error(&failure.message());
            failure.exit.into()
        }
    }
}

fn run(cli: Cli, output: Output) -> Result<Exit, Failure> {
    let global = cli.global;
    // Before there is a runtime: a child needs none, and keeps to a memory limit.
    if let Command::GitWorker = cli.command {
        return git_worker::run();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(async {
        match cli.command {
            // Boxed, as it holds a whole daemon and a sandbox.
            Command::Demo(args) => Box::pin(demo::run(&args, &global, output)).await,
            Command::Run => run::run(&global, output).await,
            Command::Plan(args) => plan::run(&args, &global, output).await,
            Command::Apply(args) => apply::run(&args, &global, output).await,
            Command::Validate(args) => validate::run(&args, &global, output).await,
            Command::Status(args) => status::run(&args, &global, output).await,
            Command::Sandbox(args) => sandbox::run(&args, &global, output).await,
            Command::Schema(args) => schema::run(&args, output),
            Command::Completions(args) => completions::run(&args, &mut Cli::command(), output),
            Command::Man(args) => man::run(&args, Cli::command(), output),
            Command::GitWorker => git_worker::run(),
        }
    });
    // Whatever still blocks a thread, such as a name that is being resolved, does not keep the process.
    runtime.shutdown_background();
    result
}
