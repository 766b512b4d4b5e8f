//! Somebody who takes notifications, on a port of its own: it keeps what it is sent and answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::world::until;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// The receiver.
pub(crate) struct Receiver {
    pub(crate) url: String,
    state: Shared,
    _server: JoinSet<()>,
}

#[derive(Clone, Default)]
struct Shared {
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<VecDeque<(u16, &'static str)>>>,
    hangs: Arc<Mutex<bool>>,
    /// Whether answers wait.
    held: Arc<watch::Sender<bool>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Shared::default();
        let router = Router::new().fallback(take).with_state(state.clone());
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            state,
            _server: server,
        }
    }

    /// Answers the next requests with these, in turn, and every other with 200.
    pub(crate) fn answer(&self, answers: &[(u16, &'static str)]) {
        self.state.answers.lock().unwrap().extend(answers);
    }

    /// Answers nothing any more.
    pub(crate) fn hang(&self) {
        *self.state.hangs.lock().unwrap() = true;
    }

    /// Has answers wait until they are held no more.
    pub(crate) fn hold(&self, held: bool) {
        self.state.held.send_replace(held);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }

    /// Waits until there were so many requests.
    pub(crate) async fn until_received(&self, count: usize) -> Vec<Received> {
        until(|| self.received().len() >= count).await;
        self.received()
    }
}

async fn take(
    State(state): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    state.received.lock().unwrap().push(Received {
        method,
        path: uri.to_string(),
        headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    let hangs = *state.hangs.lock().unwrap();
    if hangs {
        tokio::time::sleep(Duration::MAX).await;
    }
    let mut held = state.held.subscribe();
    held.wait_for(|held| !held).await.unwrap();
    let (status, body) = state.answers.lock().unwrap().pop_front().unwrap_or((200, "ok"));
    (StatusCode::from_u16(status).unwrap(), body)
}
