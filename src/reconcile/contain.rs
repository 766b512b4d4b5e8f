//! Contains panics: the work in which one happens ends, and nothing else does. A panic is a bug, and is told as one.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures::FutureExt as _;

use crate::domain::FunctionKey;
use crate::telemetry::{Panicked, Telemetry};

/// Does the work of a function, or some other where there is no `key`. Returns what is to be told of a panic in it.
///
/// What the work shares with others is behind locks that take a panic for no reason to stop, or is only read.
pub(super) async fn contained<T>(
    telemetry: &Telemetry,
    key: Option<&FunctionKey>,
    work: impl Future<Output = T>,
) -> Result<T, String> {
    let done = AssertUnwindSafe(work).catch_unwind().await;
    done.map_err(|payload| told(telemetry, key, payload.as_ref()))
}

/// The same for work that computes.
pub(super) fn contained_now<T>(
    telemetry: &Telemetry,
    key: Option<&FunctionKey>,
    work: impl FnOnce() -> T,
) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| told(telemetry, key, payload.as_ref()))
}

fn told(telemetry: &Telemetry, key: Option<&FunctionKey>, payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let message = format!("Pinfold has a bug: {}", text.unwrap_or("it does not say which"));
    Panicked { key, message: &message }.emit(telemetry);
    message
}
