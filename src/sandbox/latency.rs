//! How long calls and updates take on AWS, as clients in us-east-1 saw it in September 2026. It only draws durations.

use std::time::Duration;

use super::ids::Ids;

/// How long the service takes to answer, without the network.
pub(crate) fn of_call(service: &str, operation: &str, ids: &mut Ids) -> Duration {
    let (low, high) = match (service, operation) {
        ("lambda", "UpdateFunctionCode") => (550, 650),
        ("lambda", "CreateFunction") => (500, 900),
        ("lambda", "PublishVersion") => (200, 500),
        ("lambda", "UpdateAlias" | "CreateAlias") => (350, 400),
        ("lambda", _) => (130, 400),
        _ => (20, 80),
    };
    Duration::from_millis(ids.between(low, high))
}

/// How long the work goes on that a call starts: the window in which a function is `InProgress` or `Pending`.
pub(crate) fn of_update(operation: &str, ids: &mut Ids) -> Duration {
    let (low, high) = match operation {
        // One update in twenty takes as long as the slowest that was seen.
        "UpdateFunctionCode" if ids.between(1, 20) == 20 => (25_000, 25_000),
        "UpdateFunctionCode" => (4_700, 5_900),
        "UpdateFunctionConfiguration" => (1_400, 3_700),
        "CreateFunction" => (5_500, 7_000),
        // Only functions with SnapStart have a window here. Environments that are provisioned have to be started, too.
        "PublishVersion" | "PutProvisionedConcurrencyConfig" => (60_000, 120_000),
        _ => (0, 0),
    };
    Duration::from_millis(ids.between(low, high))
}
