//! A large fleet: what a sweep asks for, that each layer sees its kind of drift, that a failed look is no absence, and how a
//! wave of changes goes out. The worlds are small; the daemon is told to take them for large ones.

use std::collections::BTreeMap;
use std::time::Duration;

use pinfold::plan::State;
use pinfold::sandbox::{Code, Effect, Fault, NewFunction};
use serde_json::json;

use crate::beside::{Daemon, beside_layered, state, with_git};
use crate::world::{Setup, World, refusal, sha, until, zip};

/// Makes a sweep, and waits until it and what came of it is over.
async fn sweep(world: &World, daemon: &Daemon) {
    let before = daemon.status.get().last_sweep;
    world.clock.advance(Duration::from_secs(1));
    daemon.nudge.sweep();
    until(|| daemon.status.get().last_sweep > before).await;
}

/// Uploads other code to a function, and tells whether a sweep puts it back.
async fn assert_upload_is_put_back(world: &World, daemon: &Daemon, function: &str) {
    world.aws.update_code(function, &Code::zip(zip("edited"))).unwrap();
    sweep(world, daemon).await;
    let latest = world.aws.function(function, None).unwrap();
    assert_eq!(latest["Configuration"]["CodeSha256"], sha("1.0.0").as_str());
}

fn counts(world: &World) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in world.sandbox.calls().iter().filter(|call| call.service == "lambda") {
        let qualified = if call.operation == "GetFunction" && call.qualifier.is_some() {
            ":alias"
        } else {
            ""
        };
        *counts.entry(format!("{}{qualified}", call.operation)).or_default() += 1;
    }
    counts
}

fn live(world: &World, function: &str) -> String {
    let alias = world.aws.alias(function, "live").unwrap();
    alias["FunctionVersion"].as_str().unwrap().to_owned()
}

/// A world with three functions, all at rest, the first sweep over.
async fn three(script: impl AsyncFnOnce(&mut World, &mut Daemon)) {
    let mut world = with_git(&["api", "mail", "worker"]).await;
    beside_layered(&mut world, async |world, daemon| {
        daemon.first_sweep().await;
        world.mark();
        script(world, daemon).await;
    })
    .await;
}

#[tokio::test]
async fn a_quiet_sweep_reads_each_thing_once_and_writes_nothing() {
    three(async |world, daemon| {
        sweep(world, daemon).await;
        let counts = counts(world);
        assert_eq!(counts.get("ListFunctions"), Some(&1), "{counts:?}");
        assert_eq!(counts.get("ListAliases"), Some(&3), "{counts:?}");
        assert!(
            counts.get("GetFunction:alias").is_none_or(|count| *count <= 3),
            "{counts:?}"
        );
        assert_eq!(
            counts.get("GetFunction"),
            None,
            "$LATEST is told by the list: {counts:?}"
        );
        assert_eq!(counts.get("ListVersionsByFunction"), None, "{counts:?}");
        assert!(world.writes().is_empty());
    })
    .await;
}

#[tokio::test]
async fn code_that_somebody_uploads_is_told_by_the_list() {
    three(async |world, daemon| {
        assert_upload_is_put_back(world, daemon, "mail").await;
        let touched: Vec<String> = world.writes().into_iter().map(|call| call.resource).collect();
        assert!(!touched.is_empty() && touched.iter().all(|function| function == "mail"));
    })
    .await;
}

#[tokio::test]
async fn an_alias_that_somebody_moves_is_moved_back() {
    three(async |world, daemon| {
        world.aws.update_code("mail", &Code::zip(zip("edited"))).unwrap();
        let version = world.aws.publish("mail").unwrap();
        sweep(world, daemon).await;
        world.mark();
        world.aws.update_alias("mail", "live", version, None).unwrap();
        sweep(world, daemon).await;
        assert_eq!(live(world, "mail"), "1");
        assert_eq!(state(&daemon.status.get(), "mail"), State::InSync);
        assert_eq!(world.writes().len(), 1, "one write brings it back");
    })
    .await;
}

#[tokio::test]
async fn weights_that_somebody_sets_are_cleared() {
    three(async |world, daemon| {
        world.aws.update_code("mail", &Code::zip(zip("edited"))).unwrap();
        let version = world.aws.publish("mail").unwrap();
        sweep(world, daemon).await;
        world.mark();
        world.aws.update_alias("mail", "live", 1, Some((version, 0.5))).unwrap();
        sweep(world, daemon).await;
        let alias = world.aws.alias("mail", "live").unwrap();
        assert_eq!(
            alias["RoutingConfig"]["AdditionalVersionWeights"]
                .as_object()
                .map_or(0, serde_json::Map::len),
            0
        );
        assert_eq!(world.writes().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_function_that_is_deleted_is_missing_and_one_that_comes_back_is_brought_in_line() {
    three(async |world, daemon| {
        world
            .aws
            .call("DeleteFunction", json!({ "FunctionName": "mail" }))
            .unwrap();
        sweep(world, daemon).await;
        let status = daemon.status.get();
        assert_eq!(state(&status, "mail"), State::Withheld);
        let mail = &status.report.unwrap().functions[1];
        assert_eq!(mail.withheld[0].reason.as_str(), "FunctionMissing");
        world
            .aws
            .create_function(NewFunction::new("mail", Code::zip(zip("placeholder"))))
            .unwrap();
        sweep(world, daemon).await;
        assert_eq!(state(&daemon.status.get(), "mail"), State::InSync);
    })
    .await;
}

#[tokio::test]
async fn many_aliases_that_somebody_moves_at_once_do_not_wait_to_be_acknowledged() {
    let names = &fleet()[..24];
    let mut world = World::with(Setup {
        functions: names,
        git: true,
        ..Setup::default()
    })
    .await;
    beside_layered(&mut world, async |world, daemon| {
        for name in names {
            world.aws.update_code(name, &Code::zip(zip("edited"))).unwrap();
            world.aws.publish(name).unwrap();
        }
        // The limit holds back all of this: it is more than half of the fleet.
        daemon.first_sweep().await;
        for name in names {
            world.aws.update_code(name, &Code::zip(zip("1.0.0"))).unwrap();
        }
        sweep(world, daemon).await;
        for name in &names[..12] {
            world.aws.update_alias(name, "live", 2, None).unwrap();
        }
        sweep(world, daemon).await;
        assert!(names.iter().all(|name| live(world, name) == "1"));
        let metric = "pinfold_reconcile_errors_total{reason=\"TooManyChanges\"}";
        let before = daemon.metric(metric);
        for name in &names[..12] {
            world.aws.update_alias(name, "live", 2, None).unwrap();
        }
        sweep(world, daemon).await;
        assert!(names.iter().all(|name| live(world, name) == "1"));
        assert_eq!(daemon.metric(metric), before, "and not for a moment either");
    })
    .await;
}

#[tokio::test]
async fn a_look_that_fails_is_neither_absence_nor_drift() {
    three(async |world, daemon| {
        for operation in ["GetFunction", "ListAliases"] {
            let denied = Effect::Reply {
                status: 403,
                error_type: Some("AccessDeniedException".to_owned()),
                message: None,
                retry_after: None,
            };
            world.sandbox.inject(Fault::on(operation, denied).of("mail").times(0));
        }
        sweep(world, daemon).await;
        sweep(world, daemon).await;
        assert_eq!(state(&daemon.status.get(), "mail"), State::Unreadable);
        assert_eq!(state(&daemon.status.get(), "api"), State::InSync);
        assert!(world.writes().is_empty());
        world.sandbox.clear_faults();
        sweep(world, daemon).await;
        assert_eq!(state(&daemon.status.get(), "mail"), State::InSync);
    })
    .await;
}

#[tokio::test]
async fn a_function_whose_weights_cannot_be_read_is_unreadable_until_they_can() {
    three(async |world, daemon| {
        let denied = Effect::Reply {
            status: 403,
            error_type: Some("AccessDeniedException".to_owned()),
            message: None,
            retry_after: None,
        };
        world
            .sandbox
            .inject(Fault::on("ListAliases", denied).of("mail").times(0));
        sweep(world, daemon).await;
        for _ in 0..3 {
            sweep(world, daemon).await;
            assert_eq!(state(&daemon.status.get(), "mail"), State::Unreadable);
            assert_eq!(state(&daemon.status.get(), "api"), State::InSync);
        }
        world.sandbox.clear_faults();
        sweep(world, daemon).await;
        assert_eq!(state(&daemon.status.get(), "mail"), State::InSync);
        assert!(world.writes().is_empty());
    })
    .await;
}

#[tokio::test]
async fn without_the_right_to_list_everything_is_still_seen() {
    three(async |world, daemon| {
        world.refuse("ListFunctions", 403, 0);
        assert_upload_is_put_back(world, daemon, "mail").await;
    })
    .await;
}

#[tokio::test]
async fn a_commit_reads_the_function_that_it_changes_and_no_other() {
    three(async |world, daemon| {
        world.function("mail", "1.1.0");
        daemon.look_at_source(world).await;
        assert_eq!(live(world, "mail"), "2");
        let touched: Vec<String> = world
            .sandbox
            .calls()
            .into_iter()
            .filter(|call| call.service == "lambda")
            .map(|call| call.resource)
            .collect();
        assert!(
            !touched.is_empty() && touched.iter().all(|function| function == "mail"),
            "{touched:?}"
        );
    })
    .await;
}

/// So many functions that a commit which bumps a half of them is a wave.
fn fleet() -> &'static [&'static str] {
    let names: Vec<&'static str> = (0..120).map(|number| &*format!("f{number:03}").leak()).collect();
    names.leak()
}

/// A world in which the list of functions has three pages, all at rest, the first sweep over.
async fn three_pages(script: impl AsyncFnOnce(&mut World, &mut Daemon)) {
    let mut world = World::with(Setup {
        functions: fleet(),
        git: true,
        ..Setup::default()
    })
    .await;
    beside_layered(&mut world, async |world, daemon| {
        daemon.first_sweep().await;
        world.sandbox.clear_calls();
        script(world, daemon).await;
    })
    .await;
}

#[tokio::test]
async fn until_all_weights_are_read_it_is_said_of_how_many_they_are_not() {
    let mut world = World::with(Setup {
        functions: fleet(),
        git: true,
        ..Setup::default()
    })
    .await;
    beside_layered(&mut world, async |world, daemon| {
        until(|| daemon.status.get().report.is_some()).await;
        let report = daemon.status.get().report.unwrap();
        let unread = report.awaiting_weights();
        assert!(unread > 0);
        let said = format!("(weights of {unread} functions not read yet)");
        assert!(report.headline().contains(&said), "{}", report.headline());
        let of = |read: bool| {
            let json = report.to_json();
            let functions = json["functions"].as_array().unwrap().iter();
            functions.filter(|function| function["weightsRead"] == read).count()
        };
        assert_eq!((of(false), of(true)), (unread, fleet().len() - unread));
        daemon.first_sweep().await;
        assert_eq!(daemon.status.get().report.unwrap().awaiting_weights(), 0);
        assert!(world.writes().is_empty());
    })
    .await;
}

#[tokio::test]
async fn functions_are_looked_at_while_the_list_still_comes() {
    three_pages(async |world, daemon| {
        sweep(world, daemon).await;
        let calls = world.sandbox.calls();
        let list = calls.iter().rposition(|call| call.operation == "ListFunctions");
        let look = calls.iter().position(|call| call.operation == "GetFunction");
        assert!(look < list, "{look:?} {list:?}");
        let counts = counts(world);
        assert_eq!(counts.get("ListFunctions"), Some(&3), "{counts:?}");
        assert_eq!(
            counts.get("GetFunction"),
            None,
            "$LATEST is told by the list: {counts:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn where_the_list_breaks_off_everything_is_still_seen() {
    three_pages(async |world, daemon| {
        world.sandbox.inject(Fault::on("ListFunctions", refusal(403)).nth(3));
        // It would be on the page that does not come, and is among the first to be looked at.
        assert_upload_is_put_back(world, daemon, "f119").await;
    })
    .await;
}

#[tokio::test]
async fn a_wave_goes_out_whatever_somebody_does_to_its_functions_meanwhile() {
    let names = fleet();
    three_pages(async |world, daemon| {
        // Unseen by any sweep: what is remembered of these two is no longer so.
        world.aws.update_code("f003", &Code::zip(zip("edited"))).unwrap();
        world.aws.publish("f003").unwrap();
        world.aws.update_alias("f004", "live", 1, None).unwrap();
        for name in &names[..59] {
            let text = format!("apiVersion: pinfold/v1\nkind: Function\nname: {name}\nversion: \"1.1.0\"\n");
            std::fs::write(world.tree().join(format!("prod/{name}.yaml")), text).unwrap();
        }
        world.function(names[59], "1.1.0");
        daemon.look_at_source(world).await;
        for name in &names[..60] {
            assert_eq!(state(&daemon.status.get(), name), State::InSync, "{name}");
            let latest = world.aws.function(name, Some("live")).unwrap();
            assert_eq!(latest["Configuration"]["CodeSha256"], sha("1.1.0").as_str(), "{name}");
        }
        let counts = counts(world);
        let calls = |operation: &str| counts.get(operation).copied().unwrap_or_default();
        assert!(
            calls("UpdateFunctionCode") <= 61 && calls("PublishVersion") <= 60,
            "{counts:?}"
        );
        assert!(
            calls("ListAliases") <= 6,
            "nothing is read twice from the small quota: {counts:?}"
        );
    })
    .await;
}
