//! The `pinfold` binary: hands over to the library's command line, and nothing more.

use std::process::ExitCode;

fn main() -> ExitCode {
    pinfold::cli::main()
}
