//! Who is told what of a daemon's passes: over HTTP, to a receiver on the loopback.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hmac::{Hmac, KeyInit as _, Mac as _};
use pinfold::adapters::notify::Receiver as Way;
use pinfold::adapters::web::Web;
use pinfold::notify::{Forge, ForgeKind, ReceiverKind, Rule, Subscription};
use pinfold::plan::State;
use pinfold::reconcile::{Audience, Notifications, Subscriber};
use pinfold::sandbox::ManualClock;
use serde_json::Value;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::beside::{Daemon, beside, state, with_git};
use crate::receiver::{Received, Receiver};
use crate::wiring::{TestClock, way};
use crate::world::{World, until};

const SECRET: &str = "it is a secret";

/// Notifications at work beside a daemon.
struct Told {
    receiver: Receiver,
    /// The files with secrets.
    _files: TempDir,
    task: JoinSet<()>,
    stop: CancellationToken,
    /// Where others are named in its place.
    renew: mpsc::Sender<Audience<Way>>,
}

impl Told {
    /// Ends them as the daemon does, with what is left to tell.
    async fn end(mut self) -> Receiver {
        self.stop.cancel();
        while self.task.join_next().await.is_some() {}
        self.receiver
    }
}

/// What the receiver is, from its address, and the folder for its secrets.
type Kind = fn(&str, &TempDir) -> (ReceiverKind, Subscription);

fn file(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn webhook(url: &str, files: &TempDir) -> (ReceiverKind, Subscription) {
    let kind = ReceiverKind::Webhook {
        url_file: file(files, "url", &format!("{url}/hook?key={SECRET}").replace(' ', "+")),
        secret_file: file(files, "secret", SECRET),
    };
    (kind, Subscription::Events(Rule::default()))
}

fn slack(url: &str, files: &TempDir) -> (ReceiverKind, Subscription) {
    let url_file = file(files, "url", &format!("{url}/services/T/B/x\n"));
    (ReceiverKind::Slack { url_file }, Subscription::Events(Rule::default()))
}

fn forge(kind: ForgeKind, url: &str, files: &TempDir) -> (ReceiverKind, Subscription) {
    let forge = Forge {
        kind,
        api_url: url.parse().unwrap(),
        repository: "acme/versions".to_owned(),
        token_file: file(files, "token", SECRET),
    };
    (ReceiverKind::Forge(forge), Subscription::Statuses(BTreeSet::new()))
}

fn github(url: &str, files: &TempDir) -> (ReceiverKind, Subscription) {
    forge(ForgeKind::GitHub, url, files)
}

fn gitlab(url: &str, files: &TempDir) -> (ReceiverKind, Subscription) {
    forge(ForgeKind::GitLab, url, files)
}

/// One receiver, and the target that the worlds here have.
async fn audience(world: &World, (kind, subscription): (ReceiverKind, Subscription)) -> Audience<Way> {
    Audience {
        subscribers: vec![Subscriber {
            name: "ops".to_owned(),
            provider: kind.as_str(),
            subscription,
            place: kind.place(),
            notifier: Way {
                web: Web::new(None).unwrap(),
                kind,
                page: None,
            },
        }],
        targets: vec![way(&world.url, &[]).await.0],
    }
}

/// Starts to tell a receiver of what a daemon does.
async fn tell(world: &World, daemon: &Daemon, kind: Kind) -> Told {
    let (receiver, files) = (Receiver::start().await, tempfile::tempdir().unwrap());
    let (renew, renewed) = mpsc::channel(1);
    let notifications = Notifications {
        audience: audience(world, kind(&receiver.url, &files)).await,
        renewed,
        // Pauses between tries are nobody else's time.
        clock: TestClock(ManualClock::default()),
        telemetry: daemon.telemetry.clone(),
    };
    let stop = CancellationToken::new();
    let mut task = JoinSet::new();
    task.spawn(notifications.run(daemon.status.watch(), stop.clone()));
    Told {
        receiver,
        _files: files,
        task,
        stop,
        renew,
    }
}

fn json(received: &Received) -> Value {
    serde_json::from_str(&received.body).unwrap()
}

fn counted(daemon: &Daemon, provider: &str, result: &str) -> Option<String> {
    daemon.metric(&format!(
        "pinfold_notifications_total{{provider=\"{provider}\",result=\"{result}\"}}"
    ))
}

/// Releases a version, so that there is something to tell.
async fn deploy(world: &mut World, daemon: &mut Daemon, version: &str) {
    world.function("api", version);
    let status = daemon.look_at_source(world).await;
    assert_eq!(state(&status, "api"), State::InSync);
}

#[tokio::test]
async fn a_deployment_is_told_with_a_signature() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        let told = tell(world, daemon, webhook).await;
        deploy(world, daemon, "1.1.0").await;
        let received = told.receiver.until_received(1).await;
        let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(received[0].body.as_bytes());
        let expected = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        assert_eq!(received[0].headers["x-pinfold-signature-256"], expected);
        let event = &json(&received[0])["events"][0];
        assert_eq!(event["kind"], "deployed");
        assert_eq!(event["message"], "$LATEST holds 1.1.0, live runs 1.1.0 (version 2)");
        let receiver = told.end().await;
        assert_eq!(receiver.received().len(), 1, "{:?}", receiver.received());
        assert_eq!(counted(daemon, "webhook", "sent").as_deref(), Some("1"));
    })
    .await;
}

#[tokio::test]
async fn another_receiver_takes_over_and_is_not_told_what_was_told() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        let told = tell(world, daemon, webhook).await;
        deploy(world, daemon, "1.1.0").await;
        told.receiver.until_received(1).await;
        let (second, files) = (Receiver::start().await, tempfile::tempdir().unwrap());
        let next = audience(world, webhook(&second.url, &files)).await;
        assert!(told.renew.send(next).await.is_ok());
        while told.renew.capacity() == 0 {
            tokio::task::yield_now().await;
        }
        deploy(world, daemon, "2.0.0-rc.1").await;
        let received = second.until_received(1).await;
        let events = json(&received[0])["events"].clone();
        assert_eq!(events.as_array().map(Vec::len), Some(1), "{events}");
        assert_eq!(
            events[0]["message"],
            "$LATEST holds 2.0.0-rc.1, live runs 2.0.0-rc.1 (version 3)"
        );
        assert_eq!(told.end().await.received().len(), 1, "the first is told no more");
    })
    .await;
}

#[tokio::test]
async fn what_is_well_is_not_told_and_a_new_process_does_not_repeat_it() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        for _ in 0..2 {
            let told = tell(world, daemon, webhook).await;
            daemon.sweep(world).await;
            daemon.sweep(world).await;
            assert_eq!(told.end().await.received().len(), 0);
        }
    })
    .await;
}

#[tokio::test]
async fn drift_that_comes_back_is_told_once() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        deploy(world, daemon, "1.1.0").await;
        daemon.sweep(world).await;
        let told = tell(world, daemon, slack).await;
        daemon.sweep(world).await;
        for _ in 0..3 {
            world.aws.update_alias("api", "live", 1, None).unwrap();
            daemon.sweep(world).await;
        }
        let received = told.end().await.received();
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].path, "/services/T/B/x");
        assert_eq!(json(&received[0])["text"], "Pinfold: prod/api put back");
        assert_eq!(counted(daemon, "slack", "deduplicated").as_deref(), Some("2"));
    })
    .await;
}

#[tokio::test]
async fn d05_a_receiver_that_is_busy_is_asked_again_with_the_same_delivery() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        let told = tell(world, daemon, webhook).await;
        told.receiver.answer(&[(503, ""), (429, "")]);
        deploy(world, daemon, "1.1.0").await;
        let received = told.receiver.until_received(3).await;
        assert!(received.iter().all(|one| one.body == received[0].body), "{received:?}");
        told.end().await;
        assert_eq!(counted(daemon, "webhook", "sent").as_deref(), Some("1"));
        assert_eq!(counted(daemon, "webhook", "failed").as_deref(), Some("0"));
    })
    .await;
}

#[tokio::test]
async fn d05_what_a_receiver_refuses_is_given_up_and_the_next_is_told() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        let told = tell(world, daemon, webhook).await;
        told.receiver.answer(&[
            (404, "no_service"),
            (500, ""),
            (500, ""),
            (500, ""),
            (500, ""),
            (500, ""),
        ]);
        deploy(world, daemon, "1.1.0").await;
        told.receiver.until_received(1).await;
        deploy(world, daemon, "1.0.0").await;
        told.receiver.until_received(1 + 5).await;
        deploy(world, daemon, "1.1.0").await;
        told.receiver.until_received(1 + 5 + 1).await;
        told.end().await;
        assert_eq!(counted(daemon, "webhook", "failed").as_deref(), Some("2"));
        assert_eq!(counted(daemon, "webhook", "sent").as_deref(), Some("1"));
    })
    .await;
}

#[tokio::test]
async fn d05_a_receiver_that_never_answers_keeps_no_pass() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        let told = tell(world, daemon, webhook).await;
        told.receiver.hang();
        deploy(world, daemon, "1.1.0").await;
        told.receiver.until_received(1).await;
        deploy(world, daemon, "1.0.0").await;
        deploy(world, daemon, "1.1.0").await;
        assert_eq!(counted(daemon, "webhook", "sent").as_deref(), Some("0"));
    })
    .await;
}

#[tokio::test]
async fn a_commit_is_pending_and_then_green_beside_its_line_on_github() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        let told = tell(world, daemon, github).await;
        deploy(world, daemon, "1.1.0").await;
        daemon.sweep(world).await;
        let revision = crate::beside::revision(&daemon.status.get()).unwrap();
        let mut received = told.end().await.received();
        let path = format!("/repos/acme/versions/statuses/{revision}");
        // The commit before it was in force when all this began.
        received.retain(|one| one.path == path);
        let last = received.last().unwrap();
        assert_eq!(last.headers["authorization"], format!("Bearer {SECRET}"));
        assert!(last.headers["user-agent"].to_str().unwrap().starts_with("pinfold/"));
        assert_eq!(
            last.body,
            r#"{"context":"pinfold/prod","description":"all 1 functions run what Git says","state":"success"}"#
        );
        let states: Vec<Value> = received.iter().map(|one| json(one)["state"].clone()).collect();
        assert_eq!(states, ["pending", "success"], "nothing is said twice");
    })
    .await;
}

#[tokio::test]
async fn a_status_of_the_configuration_before_never_comes_after_a_newer_one() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        let told = tell(world, daemon, github).await;
        deploy(world, daemon, "1.1.0").await;
        let revision = crate::beside::revision(&daemon.status.get()).unwrap();
        let is_green = |one: &Received| one.path.ends_with(revision.as_str()) && json(one)["state"] == "success";
        until(|| told.receiver.received().last().is_some_and(is_green)).await;
        let before = told.receiver.received().len();
        told.receiver.hold(true);
        deploy(world, daemon, "1.0.0").await;
        let received = told.receiver.until_received(before + 1).await;
        assert_eq!(json(&received[before])["state"], "pending");

        let files = tempfile::tempdir().unwrap();
        let next = audience(world, github(&told.receiver.url, &files)).await;
        assert!(told.renew.send(next).await.is_ok());
        while told.renew.capacity() == 0 {
            tokio::task::yield_now().await;
        }
        // The one under way fails, and would be sent again.
        told.receiver.answer(&[(503, "")]);
        told.receiver.hold(false);
        let received = told.end().await.received();
        let states: Vec<Value> = received[before..]
            .iter()
            .map(|one| json(one)["state"].clone())
            .collect();
        assert_eq!(states, ["pending", "success"]);
    })
    .await;
}

#[tokio::test]
async fn a_pending_status_that_gitlab_has_already_is_no_failure() {
    let mut world = with_git(&["api"]).await;
    beside(&mut world, async |world, daemon| {
        world.refuse("UpdateAlias", 412, 0);
        deploy_in_part(world, daemon).await;
        // A new process: it does not know what the one before it has set.
        let told = tell(world, daemon, gitlab).await;
        told.receiver.answer(&[
            (
                400,
                r#"{"message":"Cannot transition status via :enqueue from :pending"}"#,
            ),
            (200, r#"[{"name":"pinfold/prod","status":"pending"}]"#),
        ]);
        daemon.sweep(world).await;
        let received = told.receiver.until_received(2).await;
        assert_eq!(json(&received[0])["state"], "pending");
        let revision = crate::beside::revision(&daemon.status.get()).unwrap();
        assert_eq!(
            received[0].path,
            format!("/projects/acme%2Fversions/statuses/{revision}")
        );
        assert_eq!(received[1].method, "GET");
        assert_eq!(
            received[1].path,
            format!("/projects/acme%2Fversions/repository/commits/{revision}/statuses?name=pinfold%2Fprod")
        );
        told.end().await;
        assert_eq!(counted(daemon, "gitlab", "failed").as_deref(), Some("0"));
    })
    .await;
}

/// Leaves a function between two versions: its alias is held by a guard.
async fn deploy_in_part(world: &mut World, daemon: &mut Daemon) {
    world.function("api", "1.1.0");
    let status = daemon.look_at_source(world).await;
    assert_eq!(state(&status, "api"), State::Drifted);
}
