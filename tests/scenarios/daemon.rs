//! The daemon's loop: woken for the repository or for a sweep, patient after failures, faithful to the last good commit.

use std::sync::Arc;
use std::time::Duration;

use pinfold::plan::Report;
use pinfold::reconcile::{Driver, DriverPolicy, Nudge, StatusBoard};
use pinfold::sandbox::{Code, Effect, Fault};
use pinfold::telemetry::Telemetry;
use tokio_util::sync::CancellationToken;

use crate::wiring::{engine, git_source};
use crate::world::{Setup, World, until, zip};

/// The way to talk to a daemon.
struct Daemon {
    nudge: Nudge,
    status: StatusBoard,
    telemetry: Telemetry,
}

/// Lets a daemon work on a world, and does something with it once its first pass is complete. Then it is asked to end,
/// and has to.
async fn run(world: &mut World, script: impl AsyncFnOnce(&mut World, &Daemon)) {
    let (nudge, status, stop) = (Nudge::default(), StatusBoard::default(), CancellationToken::new());
    let engine = engine(&world.url, &["*".to_owned()], &world.clock).await;
    let telemetry = engine.telemetry().clone();
    let driver = Driver::new(
        git_source(world.origin.as_ref().unwrap()),
        engine,
        DriverPolicy::default(),
        nudge.clone(),
        status.clone(),
    );
    let daemon = Daemon {
        nudge,
        status,
        telemetry,
    };
    tokio::join!(driver.run(stop.clone()), async {
        daemon.next(None).await;
        script(world, &daemon).await;
        stop.cancel();
    });
}

impl Daemon {
    /// Waits for the report that follows this one.
    async fn next(&self, last: Option<Arc<Report>>) -> Arc<Report> {
        let mut status = self.status.watch();
        let other = |report: &Arc<Report>| last.as_ref().is_none_or(|last| !Arc::ptr_eq(last, report));
        let status = status
            .wait_for(|status| status.report.as_ref().is_some_and(other))
            .await;
        status.unwrap().report.clone().unwrap()
    }

    /// Returns whether the metrics have this line.
    fn counted(&self, line: &str) -> bool {
        self.telemetry.render().unwrap().lines().any(|found| found == line)
    }

    async fn sweep(&self) -> Arc<Report> {
        let last = self.status.get().report;
        self.nudge.sweep();
        self.next(last).await
    }

    async fn commit(&self) -> Arc<Report> {
        let last = self.status.get().report;
        self.nudge.source();
        self.next(last).await
    }
}

async fn world() -> World {
    World::with(Setup {
        git: true,
        ..Setup::default()
    })
    .await
}

#[tokio::test]
async fn a_commit_is_served_once_the_repository_is_looked_at() {
    let mut world = world().await;
    run(&mut world, async |world, daemon| {
        world.function("api", "1.1.0");
        let report = daemon.commit().await;
        insta::assert_snapshot!(world.told(&report), @r#"
        inSync true at commit#3
          api InSync
            step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
            step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"done"}
            step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"done","to":"2","version":"1.1.0"}
            step {"action":"MoveAlias","alias":"live","from":"1","result":"done","to":"2"}
        "#);
    })
    .await;
}

#[tokio::test]
async fn a_look_at_the_same_commit_fetches_nothing_and_asks_aws_nothing() {
    let mut world = world().await;
    run(&mut world, async |world, daemon| {
        world.sandbox.clear_calls();
        daemon.nudge.source();
        until(|| daemon.counted("pinfold_git_requests_total{operation=\"list\",result=\"ok\"} 2")).await;
        assert!(daemon.counted("pinfold_git_requests_total{operation=\"fetch\",result=\"ok\"} 1"));
        assert_eq!(world.counts(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn drift_is_corrected_by_the_next_sweep() {
    let mut world = world().await;
    run(&mut world, async |world, daemon| {
        world.aws.update_code("api", &Code::zip(zip("edited"))).unwrap();
        world.name_hash("edited");
        let report = daemon.sweep().await;
        assert_eq!(report.to_json()["inSync"], true);
        assert_eq!(world.writes().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn without_the_repository_the_last_good_commit_stays_in_force() {
    let mut world = world().await;
    run(&mut world, async |world, daemon| {
        std::fs::remove_dir_all(world.origin.as_ref().unwrap().path()).unwrap();
        let mut status = daemon.status.watch();
        status.mark_unchanged();
        daemon.nudge.source();
        let error = status
            .wait_for(|status| status.source_error.is_some())
            .await
            .unwrap()
            .source_error
            .clone();
        assert!(error.unwrap().contains("no such repository"));
        world.aws.update_code("api", &Code::zip(zip("edited"))).unwrap();
        world.name_hash("edited");
        let report = daemon.sweep().await;
        assert_eq!(report.to_json()["inSync"], true);
        assert!(report.revision.is_some());
    })
    .await;
}

#[tokio::test]
async fn an_update_that_fails_is_sent_again_after_a_pause_that_grows() {
    let mut world = world().await;
    run(&mut world, async |world, daemon| {
        let failing = Effect::UpdateFails {
            code: "SubnetOutOfIPAddresses".to_owned(),
            reason: "no address is left".to_owned(),
        };
        world.sandbox.inject(Fault::on("UpdateFunctionCode", failing).times(0));
        world.function("api", "1.1.0");
        assert_eq!(daemon.commit().await.to_json()["functions"][0]["state"], "Failed");

        let tried = world.writes().len();
        insta::assert_snapshot!(world.told(&*daemon.sweep().await), @r#"
        inSync false at commit#3
          api Withheld
            drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:1.1.0","functionVersion":"$LATEST","lastUpdateStatus":"Failed","lastUpdateStatusReason":"SubnetOutOfIPAddresses: no address is left"}}
            drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
            withheld {"alias":null,"message":"the update failed, and the code before it goes on serving: SubnetOutOfIPAddresses: no address is left; the next try is at 00:00:30 UTC, or with the next commit","reason":"LastUpdateFailed"}
        "#);
        assert_eq!(world.writes().len(), tried, "it waits");

        world.clock.advance(Duration::from_secs(30));
        assert_eq!(daemon.sweep().await.to_json()["functions"][0]["state"], "Failed");
        assert_eq!(world.writes().len(), tried + 1, "it tries again");

        world.clock.advance(Duration::from_secs(59));
        daemon.sweep().await;
        assert_eq!(world.writes().len(), tried + 1, "it waits twice as long");

        world.sandbox.clear_faults();
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(daemon.sweep().await.to_json()["inSync"], true);
    })
    .await;
}

#[tokio::test]
async fn another_commit_is_tried_at_once() {
    let mut world = world().await;
    run(&mut world, async |world, daemon| {
        world.function("api", "1.1.0");
        world.refuse("UpdateFunctionCode", 403, 1);
        assert_eq!(daemon.commit().await.to_json()["functions"][0]["state"], "Failed");
        world.function("api", "2.0.0-rc.1");
        assert_eq!(daemon.commit().await.to_json()["inSync"], true);
    })
    .await;
}

#[tokio::test]
async fn an_update_in_progress_is_followed_up_before_the_next_sweep() {
    let mut world = world().await;
    run(&mut world, async |world, daemon| {
        world.inject("UpdateFunctionCode", Effect::InProgress { ms: 60_000 });
        let call = world.lambda().update_function_code().function_name("api");
        call.zip_file(zip("hotfix").to_vec().into()).send().await.unwrap();
        world.name_hash("hotfix");
        daemon.nudge.sweep();
        let mut status = daemon.status.watch();
        let settled = status.wait_for(|status| {
            let report = status.report.as_ref().map(|report| report.to_json());
            report.is_some_and(|json| json["inSync"] == true && json["functions"][0]["steps"] != serde_json::json!([]))
        });
        settled.await.unwrap();
    })
    .await;
}
