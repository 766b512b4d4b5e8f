//! The bytes are what a client sends to the daemon's HTTP server on a connection of its own. It answers or hangs up, and
//! serves the next client.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use pinfold::domain::{DesiredState, Mode, Secret};
use pinfold::http::{Keyring, Secrets, Server, SigningKey};
use pinfold::plan::Report;
use pinfold::reconcile::{Nudge, StatusBoard};
use pinfold::telemetry::Telemetry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use super::invariants::plan_of;
use super::worlds::{Choices, case, now, store};

/// Far beyond any answer. Reached only where the server hangs.
const HANGS: Duration = Duration::from_secs(20);
/// Bytes of an answer that are looked at.
const LOOKED_AT: u64 = 64 * 1024;

/// The server, and the one thread that it and its clients share.
static SERVER: LazyLock<Mutex<(Runtime, SocketAddr)>> = LazyLock::new(|| Mutex::new(serve()));

/// Sends the bytes.
///
/// # Panics
///
/// Something does not hold.
pub fn http(data: &[u8]) {
    let server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    let (runtime, address) = &*server;
    let answers = async {
        let answer = exchange(*address, data).await;
        (answer, exchange(*address, b"GET /livez HTTP/1.0\r\n\r\n").await)
    };
    let (answer, livez) = runtime
        .block_on(async { tokio::time::timeout(HANGS, answers).await })
        .expect("the server answers or hangs up");
    let text = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || text.starts_with("HTTP/1."), "{text}");
    assert!(
        !text.starts_with("HTTP/1.1 5"),
        "nothing that a client sends is our fault: {text}"
    );
    assert!(livez.ends_with(b"ok\n"), "the next client is served");
}

/// Sends everything, says that nothing more comes, and reads the answer.
async fn exchange(address: SocketAddr, data: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    // Closed at once and for good: millions of connections would otherwise use up the ports.
    let _ = stream.set_zero_linger();
    // A server that has heard enough hangs up while it is still being sent to.
    let _ = stream.write_all(data).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = stream.take(LOOKED_AT).read_to_end(&mut answer).await;
    answer
}

fn serve() -> (Runtime, SocketAddr) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    let key = || Some(SigningKey::new(&Secret::new("key")));
    let secrets = Secrets {
        github: key(),
        gitlab: key(),
        gitlab_token: Some(Secret::new("token")),
        generic: key(),
        api: Some(Secret::new("operator")),
    };
    let server = Server {
        status: StatusBoard::default(),
        telemetry: Telemetry::new().expect("the metrics register"),
        nudge: Nudge::default(),
        keyring: Keyring::new(secrets),
        now,
    };
    server.status.passed(Arc::new(report()), now());
    let listener = runtime
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    runtime.spawn(server.serve(listener, CancellationToken::new()));
    (runtime, address)
}

/// A pass over a few functions, each in another state.
fn report() -> Report {
    let bytes: Vec<u8> = (0..=u8::MAX).map(|n| n.wrapping_mul(151)).collect();
    let mut choices = Choices::new(&bytes);
    let store = store(&mut choices);
    let cases: Vec<_> = (0..4).map(|_| case(&mut choices)).collect();
    let plan = plan_of(&cases, &store, Mode::Reconcile);
    let functions = Report::functions_of(plan, &DesiredState::default(), &BTreeMap::new(), &BTreeMap::new());
    Report {
        functions,
        ..Report::default()
    }
}
