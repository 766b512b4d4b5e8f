//! stub
use super::Global;
use super::exit::{Exit, Failure};
use super::output::Output;
#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {}
pub(super) async fn run(_a: &DemoArgs, _g: &Global, _o: Output) -> Result<Exit, Failure> {
    Ok(Exit::Ok)
}
