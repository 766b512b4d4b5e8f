//! With the feature `events`: the daemon puts an alias right because a queue says that it was moved, before any sweep.

#![cfg(feature = "events")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where by itself")]

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use pinfold::sandbox::{Code, NewFunction, Options, Sandbox, package};
use repository::Origin;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

#[path = "scenarios/repository.rs"]
mod repository;

/// How long the test waits for what does not come. Only one that has failed already waits so long.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a queue holds, and how many messages were taken off it.
#[derive(Default)]
struct Queue {
    messages: Vec<String>,
    deleted: usize,
}

async fn answer(State(queue): State<Arc<Mutex<Queue>>>, headers: HeaderMap, body: Bytes) -> String {
    let mut queue = queue.lock().unwrap();
    if headers["x-amz-target"] == "AmazonSQS.DeleteMessageBatch" {
        let asked: Value = serde_json::from_slice(&body).unwrap();
        let count = asked["Entries"].as_array().unwrap().len();
        queue.messages.drain(..count);
        queue.deleted += count;
        return json!({ "Successful": [], "Failed": [] }).to_string();
    }
    let messages = queue.messages.iter().enumerate();
    let messages = messages.map(|(at, body)| json!({ "ReceiptHandle": at.to_string(), "Body": body }));
    json!({ "Messages": messages.collect::<Vec<_>>() }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_somebody_moved_is_put_right_as_soon_as_it_is_heard_of() {
    let mut servers = JoinSet::new();
    let sandbox = Sandbox::new(Options::default());
    let aws = sandbox.place("us-east-1");
    sandbox.create_bucket("artifacts", "us-east-1", true).unwrap();
    let zip = |tag: &str| package([("index.js", tag)]);
    sandbox
        .put_object("artifacts", "1.0.0.zip", zip("1.0.0"), true)
        .unwrap();
    aws.create_function(NewFunction::new("api", Code::zip(zip("old"))))
        .unwrap();
    aws.publish("api").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let lambda = listener.local_addr().unwrap();
    let served = sandbox.clone();
    servers.spawn(async move { served.serve(listener, CancellationToken::new()).await.unwrap() });

    let queue = Arc::new(Mutex::new(Queue::default()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sqs = listener.local_addr().unwrap();
    let router = Router::new().fallback(answer).with_state(Arc::clone(&queue));
    servers.spawn(async move { axum::serve(listener, router).await.unwrap() });

    let home = tempfile::tempdir().unwrap();
    let tree = home.path().join("tree");
    std::fs::create_dir_all(tree.join("prod")).unwrap();
    let manifest = "apiVersion: pinfold/v1\nkind: Function\nname: api\nversion: \"1.0.0\"\n\
                    artifact: s3://artifacts/{version}.zip\naliases: { live: {} }\n";
    std::fs::write(tree.join("prod/api.yaml"), manifest).unwrap();
    let origin = Origin::new();
    origin.commit(&tree);
    // Schedules that come once a year, so that nothing but the queue wakes the daemon.
    let config = format!(
        "repository: {{ url: {} }}\n\
         targets:\n  - name: prod\n    path: prod\n    region: us-east-1\n    endpointUrl: http://{lambda}\n    \
         events: {{ queueUrl: http://{sqs}/000000000000/pinfold }}\n\
         schedule: {{ git: \"0 0 0 1 1 *\", sweep: \"0 0 0 1 1 *\" }}\n\
         http: {{ listen: \"127.0.0.1:0\" }}\nlog: {{ format: text }}\n",
        origin.path()
    );
    std::fs::write(home.path().join("pinfold.yaml"), config).unwrap();
    let mut daemon = Command::new(env!("CARGO_BIN_EXE_pinfold"))
        .args(["run", "--config", "pinfold.yaml"])
        .env_clear()
        .env("HOME", home.path())
        .current_dir(home.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(daemon.stderr.take().unwrap()).lines();
    let complete = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("a pass is complete") {
                return;
            }
        }
        panic!("it ended");
    };
    tokio::time::timeout(PATIENCE, complete).await.unwrap();
    let live = || aws.alias("api", "live").unwrap()["FunctionVersion"].clone();
    assert_eq!(live(), "2");

    sandbox.clear_calls();
    aws.update_alias("api", "live", 1, None).unwrap();
    let event = json!({
        "source": "aws.lambda", "detail-type": "AWS API Call via CloudTrail",
        "account": "000000000000", "region": "us-east-1",
        "detail": { "eventName": "UpdateAlias20150331", "requestParameters": { "functionName": "api" } },
    });
    queue.lock().unwrap().messages.push(event.to_string());
    let repaired = async {
        while live() != "2" || queue.lock().unwrap().deleted == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, repaired).await.unwrap();
    let calls = sandbox.calls();
    assert!(
        calls.iter().all(|call| call.operation != "ListFunctions"),
        "no sweep saw it: {calls:#?}"
    );
}
