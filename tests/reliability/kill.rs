//! The real process under SIGKILL: `apply` and `run` die with a call on its way, at a chosen number of calls, and a new
//! process finishes the job. The call that was on its way arrives before it starts, or after it is done.

use std::time::Duration;

use pinfold::sandbox::{self, Code, Effect, Fault, ManualClock, NewFunction, Options, Place, Sandbox, package};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::command::{Home, http};
use crate::dice::Dice;
use crate::repository::Origin;

/// Milliseconds between two looks at what the process has done.
const POLL: Duration = Duration::from_millis(2);

/// Looks before it is given up: half a minute, for a machine that does much else.
const POLLS: usize = 15_000;

/// How long a call is held up on its way, on the sandbox's clock, which stands still.
const HELD_UP: Duration = Duration::from_hours(1);

/// A sandbox in this process, and what the processes under test need.
struct Scene {
    sandbox: Sandbox,
    aws: Place,
    clock: ManualClock,
    url: String,
    home: Home,
    origin: Origin,
    stop: CancellationToken,
}

impl Drop for Scene {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Scene {
    /// A function that runs 1.0.0, and Git that wants 1.1.0 and a candidate beside it.
    fn new() -> Self {
        let clock = ManualClock::default();
        let sandbox = Sandbox::new(Options {
            clock: sandbox::Clock::Manual(clock.clone()),
            ..Options::default()
        });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, handle) = (CancellationToken::new(), sandbox.clone());
        let token = stop.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let serve = async { handle.serve(tokio::net::TcpListener::from_std(listener)?, token).await };
            runtime.unwrap().block_on(serve).unwrap();
        });
        sandbox.create_bucket("artifacts", "us-east-1", true).unwrap();
        for version in ["1.0.0", "1.1.0", "2.0.0-rc.1"] {
            let key = format!("{version}.zip");
            sandbox.put_object("artifacts", &key, zip(version), true).unwrap();
        }
        let aws = sandbox.place("us-east-1");
        let made = NewFunction::new("api", Code::s3("artifacts", "1.0.0.zip"));
        aws.create_function(made).unwrap();
        let version = aws.publish("api").unwrap();
        aws.create_alias("api", "live", version).unwrap();
        let (home, origin) = (Home::new(), Origin::new());
        home.file(
            "pinfold.yaml",
            &format!(
                "repository: {{ url: {} }}\n\
                 targets: [{{ name: prod, path: prod, region: us-east-1, endpointUrl: \"{url}\" }}]\n\
                 http: {{ listen: \"127.0.0.1:0\" }}\n",
                origin.path()
            ),
        );
        home.file(
            "tree/prod/api.yaml",
            "apiVersion: pinfold/v1\nkind: Function\nname: api\nversion: \"1.1.0\"\n\
             artifact: s3://artifacts/{version}.zip\naliases: { live: {}, beta: { version: \"2.0.0-rc.1\" } }\n",
        );
        origin.commit(&home.path().join("tree"));
        Self {
            sandbox,
            aws,
            clock,
            url,
            home,
            origin,
            stop,
        }
    }

    fn live(&self) -> [Value; 3] {
        let sha = |alias| self.aws.function("api", alias).unwrap()["Configuration"]["CodeSha256"].clone();
        [sha(None), sha(Some("live")), sha(Some("beta"))]
    }

    fn versions(&self) -> usize {
        let input = serde_json::json!({ "FunctionName": "api" });
        let listed = self.aws.call("ListVersionsByFunction", input).unwrap();
        listed["Versions"].as_array().unwrap().len() - 1
    }

    /// Waits until the call that is to be held up has come.
    fn until_held_up(&self) {
        for _ in 0..POLLS {
            let (_, waiting) = http("GET", &format!("{}/_sandbox/faults", self.url), "");
            if waiting == "{\"faults\":[]}" {
                return;
            }
            std::thread::sleep(POLL);
        }
        panic!("the call never came: {:#?}", self.sandbox.calls());
    }

    /// Lets the call that is on its way arrive, and waits until it has.
    fn arrive(&self, calls_before: usize) {
        self.clock.advance(HELD_UP);
        for _ in 0..POLLS {
            if self.sandbox.calls().len() > calls_before {
                return;
            }
            std::thread::sleep(POLL);
        }
        panic!("the call never arrived");
    }

    /// Kills a process that has made `calls` calls and has one more on its way.
    fn kill(&self, arguments: &[&str], calls: usize) {
        let delay = Effect::Delay {
            ms: HELD_UP.as_millis().try_into().unwrap(),
        };
        let nth = u32::try_from(calls + 1).unwrap();
        self.sandbox.inject(Fault::on("*", delay).nth(nth));
        let process = self.home.start(arguments);
        self.until_held_up();
        // Dropping it is SIGKILL.
        drop(process);
    }
}

fn zip(tag: &str) -> bytes::Bytes {
    package([("index.js", tag)])
}

const APPLY: [&str; 3] = ["apply", "--config", "pinfold.yaml"];
const RUN: [&str; 3] = ["run", "--config", "pinfold.yaml"];

/// What an undisturbed `apply` comes to, and how many calls it makes.
fn undisturbed() -> ([Value; 3], usize) {
    let scene = Scene::new();
    let outcome = scene.home.run(&APPLY);
    assert_eq!(outcome.code, 0, "{outcome:#?}");
    assert_eq!(scene.versions(), 3);
    (scene.live(), scene.sandbox.calls().len())
}

#[test]
fn a_killed_process_is_followed_by_one_that_finishes_the_job() {
    let (expected, total) = undisturbed();
    assert!(total >= 20, "{total} calls");
    let mut dice = Dice::new(4);
    for sample in 0..6 {
        let scene = Scene::new();
        // A third of the samples each: early, in the middle, late.
        let calls = sample % 3 * (total / 3) + dice.roll(total / 3);
        let (arguments, late) = (if sample < 3 { APPLY } else { RUN }, sample % 2 == 1);
        let case = format!("{} killed after {calls} of {total} calls, late: {late}", arguments[0]);
        scene.kill(&arguments, calls);
        let held_up = scene.sandbox.calls().len();
        // Look-ups in S3 go side by side, so one more may have been answered.
        assert!((calls..=calls + 1).contains(&held_up), "{case}: {held_up}");
        if !late {
            scene.arrive(held_up);
        }
        let outcome = scene.home.run(&APPLY);
        if late {
            scene.arrive(scene.sandbox.calls().len());
        }
        assert_eq!(outcome.code, 0, "{case}: {outcome:#?}");
        assert_eq!(scene.live(), expected, "{case}");
        assert_eq!(scene.versions(), 3, "{case}");
        assert!(
            scene.origin.path().starts_with('/'),
            "the repository outlives its readers"
        );
    }
}
