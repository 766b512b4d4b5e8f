//! x.
pub(crate) enum Fact {}
