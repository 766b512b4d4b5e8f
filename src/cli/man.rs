//! `pinfold man`: man pages, made from the same definitions as `--help`.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::exit::{Exit, Failure};
use super::output::Output;

/// What the exit codes mean, as docs/commands.md has it.
const EXIT_STATUS: [(&str, &str); 4] = [
    ("0", "Everything in view runs what Git says."),
    ("1", "Something differs, is withheld, is unreadable or has a fault."),
    ("2", "The command could not do its work."),
    ("64", "The call was wrong."),
];

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write one page for each command into this folder, in place of printing that of pinfold
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs, mut command: Command, output: Output) -> Result<Exit, Failure> {
    // Propagates the flags of every command, and names the others `pinfold-plan` and so on.
    command.build();
    let Some(folder) = &args.folder else {
        output.data(&String::from_utf8_lossy(&page(&command)?))?;
        return Ok(Exit::Ok);
    };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for command in std::iter::once(&command).chain(command.get_subcommands().filter(|command| !command.is_hide_set())) {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name());
        let path = folder.join(format!("{name}.1"));
        std::fs::write(&path, page(command)?).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(Exit::Ok)
}

/// Renders the page of one command.
fn page(command: &Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let man = Man::new(command.clone());
    man.render(&mut page)?;
    let mut status = Roff::new();
    status.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in EXIT_STATUS {
        status.control("TP", []);
        status.text([bold(code)]);
        status.text([roman(meaning)]);
    }
    status.to_writer(&mut page)?;
    page.flush()?;
    Ok(page)
}
