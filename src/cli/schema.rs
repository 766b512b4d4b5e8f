//! `pinfold schema`: JSON Schemas of the file formats, for editors and CI.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::exit::{Exit, Failure};
use super::output::Output;
use crate::{config, manifest};

#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Which format; all of them where none is given
    #[arg(value_enum)]
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// A function's manifest
    Function,
    /// defaults.yaml
    Defaults,
    /// The daemon's configuration
    Config,
}

pub(super) fn run(args: &SchemaArgs, output: Output) -> Result<Exit, Failure> {
    let schema = match args.format {
        Some(Format::Function) => manifest::function_schema(),
        Some(Format::Defaults) => manifest::defaults_schema(),
        Some(Format::Config) => config::config_schema(),
        None => json!({
            "function": manifest::function_schema(),
            "defaults": manifest::defaults_schema(),
            "config": config::config_schema(),
        }),
    };
    output.json(&schema)?;
    Ok(Exit::Ok)
}
