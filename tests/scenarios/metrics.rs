//! What a scrape shows: series that are there before anything happens, and that say of withheld work what a report says.

use std::collections::BTreeSet;

use pinfold::plan::State;
use pinfold::telemetry::Telemetry;

use crate::beside::{Daemon, beside, state, with_git};
use crate::world::World;

const SERIES: &str = "account=\"000000000000\",alias=\"ALIAS\",function=\"api\",region=\"us-east-1\"";

/// Returns the value of a series of the function `api`, all of whose labels have to be named.
fn value(daemon: &Daemon, metric: &str, alias: &str, further: &str) -> Option<String> {
    let labels = SERIES.replace("ALIAS", alias);
    daemon.metric(&format!("{metric}{{{labels}{further},target=\"prod\"}}"))
}

/// Returns the series of a scrape whose names begin with one of these.
fn series(telemetry: &Telemetry, names: &[&str]) -> BTreeSet<String> {
    let text = telemetry.render().unwrap();
    let lines = text
        .lines()
        .filter(|line| names.iter().any(|name| line.starts_with(name)));
    lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
}

#[tokio::test]
async fn no_series_of_a_closed_set_is_born_by_an_event() {
    let names = [
        "pinfold_aws_requests_total{",
        "pinfold_git_requests_total{",
        "pinfold_reconciles_total{",
        "pinfold_reconcile_errors_total{",
        "pinfold_manifests{",
        "pinfold_aws_limiter_wait_seconds_count",
        "pinfold_reconcile_duration_seconds_count",
        "pinfold_aws_request_duration_seconds_count",
    ];
    let before = series(&Telemetry::new().unwrap(), &names);
    // What no script below can bring about.
    let unverified = "pinfold_git_requests_total{operation=\"fetch\",result=\"unverified\"}";
    assert!(before.contains(unverified), "{before:#?}");
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        world.manifest(
            "api",
            "version: \"1.1.0\"\naliases: { live: {}, beta: {}, gone: { version: \"9.9.9\" } }\n",
        );
        world.refuse("UpdateFunctionCode", 403, 1);
        daemon.look_at_source(world).await;
        daemon.sweep(world).await;
        assert_eq!(series(&daemon.telemetry, &names), before);
    })
    .await;
}

/// One alias names an artifact that is not there; the rest of the function is served.
async fn partly_withheld(script: impl AsyncFnOnce(&mut World, &mut Daemon)) {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        world.manifest(
            "api",
            "version: \"1.1.0\"\naliases: { live: {}, beta: { version: \"9.9.9\" } }\n",
        );
        daemon.look_at_source(world).await;
        script(world, daemon).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_withheld_of_one_alias_is_held_and_counted() {
    partly_withheld(async |_, daemon| {
        let held = |alias| value(daemon, "pinfold_function_held", alias, "");
        assert_eq!(held("beta").as_deref(), Some("1"));
        assert_eq!(held("live").as_deref(), Some("0"));
        assert_eq!(held("$LATEST").as_deref(), Some("0"));
        let syncs = |alias, result| value(daemon, "pinfold_syncs_total", alias, &format!(",result=\"{result}\""));
        assert_eq!(syncs("beta", "held").as_deref(), Some("1"));
        assert_eq!(syncs("live", "held").as_deref(), Some("0"));
        assert_eq!(syncs("live", "succeeded").as_deref(), Some("1"));
        let reason = "pinfold_reconcile_errors_total{reason=\"ArtifactNotFound\"}";
        assert_eq!(daemon.metric(reason).as_deref(), Some("1"));
    })
    .await;
}

#[tokio::test]
async fn a_reason_counts_also_where_the_function_has_a_step_to_take() {
    partly_withheld(async |world, daemon| {
        // A guard that is refused leaves the function Drifted, with one alias withheld.
        world.refuse("UpdateAlias", 412, 0);
        world.manifest(
            "api",
            "version: \"1.0.0\"\naliases: { live: {}, beta: { version: \"9.9.9\" } }\n",
        );
        let status = daemon.look_at_source(world).await;
        assert_eq!(state(&status, "api"), State::Drifted);
        let reason = "pinfold_reconcile_errors_total{reason=\"ArtifactNotFound\"}";
        assert_eq!(daemon.metric(reason).as_deref(), Some("2"));
    })
    .await;
}

#[tokio::test]
async fn the_desired_version_is_told_where_there_is_one() {
    partly_withheld(async |world, daemon| {
        let version = |daemon: &Daemon, alias| value(daemon, "pinfold_function_desired_version", alias, "");
        assert_eq!(version(daemon, "live").as_deref(), Some("2"));
        assert_eq!(version(daemon, "$LATEST").as_deref(), Some("0"));
        assert_eq!(version(daemon, "beta"), None, "nobody knows what it will be");
        world.refuse("UpdateAlias", 403, 0);
        world.function("api", "1.0.0");
        daemon.look_at_source(world).await;
        assert_eq!(version(daemon, "live").as_deref(), Some("1"));
        let live = value(daemon, "pinfold_function_live_version", "live", "");
        assert_eq!(live.as_deref(), Some("2"));
    })
    .await;
}
