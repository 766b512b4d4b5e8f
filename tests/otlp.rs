//! With the feature `otlp`: a collector on the loopback gets the spans of the demo's passes, and the last ones at its end.

#![cfg(feature = "otlp")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where by itself")]

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinSet;

/// How long the test waits for what does not come. Only one that has failed already waits so long.
const PATIENCE: Duration = Duration::from_mins(1);

type Received = Arc<Mutex<Vec<(String, Option<String>, Bytes)>>>;

async fn take(State(received): State<Received>, uri: Uri, headers: HeaderMap, body: Bytes) {
    let kind = headers
        .get("content-type")
        .map(|value| value.to_str().unwrap().to_owned());
    received.lock().unwrap().push((uri.path().to_owned(), kind, body));
}

/// Returns whether a text is in one of the bodies: protobuf writes texts as they are.
fn has(received: &Received, text: &str) -> bool {
    let received = received.lock().unwrap();
    received
        .iter()
        .any(|(_, _, body)| body.windows(text.len()).any(|window| window == text.as_bytes()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_a_span_for_each_pass_function_and_call() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let received = Received::default();
    let router = Router::new().fallback(take).with_state(received.clone());
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let mut demo = Command::new(env!("CARGO_BIN_EXE_pinfold"))
        .args(["demo", "--listen", "127.0.0.1:0"])
        .env_clear()
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"))
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let wanted = [
        "pass",
        "observe",
        "execute",
        "checkout-api",
        "lambda GetFunction",
        "lambda UpdateFunctionCode",
        "s3 HeadObject",
        "revision",
        "service.name",
        "pinfold",
    ];
    let arrived = async {
        while !wanted.iter().all(|text| has(&received, text)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let missing = || wanted.iter().filter(|text| !has(&received, text)).collect::<Vec<_>>();
    let came = tokio::time::timeout(PATIENCE, arrived).await;
    assert!(came.is_ok(), "missing: {:?}", missing());
    let (path, kind, _) = received.lock().unwrap()[0].clone();
    assert_eq!(
        (path.as_str(), kind.as_deref()),
        ("/v1/traces", Some("application/x-protobuf"))
    );
    let pid = rustix::process::Pid::from_raw(demo.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = tokio::time::timeout(PATIENCE, demo.wait())
        .await
        .expect("it ends")
        .unwrap();
    assert!(ended.success(), "{ended}");
}
