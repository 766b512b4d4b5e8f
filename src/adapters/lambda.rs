//! Lambda through the SDK: a reader, and a writer that is a reader too. Translates; retries reads alone.

mod digest;
mod read;
mod translate;
mod write;

pub use read::LambdaReader;
pub use write::LambdaWriter;
