//! Serves connections over HTTP/1.1, each within bounds: no client keeps another from being served, however slow or silent
//! it is, and however many there are. Knows no route.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// Connections at the same time. A Prometheus, two probes and a few people need a dozen. Each may hold one answer that
/// its client does not take, which is some megabytes of metrics where there are ten thousand functions.
const CONNECTIONS: usize = 64;

/// How long a client may take for the head of a request, and for thinking of the next one.
const HEAD: Duration = Duration::from_secs(10);

/// How long a connection may last. The answers are there at once, so only a client that sends or takes one drop by drop
/// needs longer; a client that asks again and again just connects anew.
const CONNECTION: Duration = Duration::from_mins(1);

/// How long requests in hand may take once the connection is to end. They are answered from memory; a client that never
/// finishes its request must not keep the process.
pub(super) const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// Bytes of the head of a request, and of what is read ahead. What a browser or a Prometheus sends has some hundreds.
const HEAD_BYTES: usize = 16 * 1024;

/// The pause after a failure to accept, such as too many open files, which goes on until something is closed.
const PAUSE: Duration = Duration::from_millis(200);

/// Serves on `listener` until `stop`, and lets requests in hand end, for a while.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut connections = Connections::new(router, stop.clone());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => connections.admit(stream),
            // The client is gone again already.
            Err(error) if is_of_the_client(&error) => {}
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    drop(listener);
    connections.end().await;
}

fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

/// The connections that are open.
struct Connections {
    router: Router,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    /// The same, the oldest first.
    by_age: VecDeque<AbortHandle>,
}

impl Connections {
    fn new(router: Router, stop: CancellationToken) -> Self {
        Self {
            router,
            stop,
            tasks: JoinSet::new(),
            by_age: VecDeque::new(),
        }
    }

    /// Serves one more. Where there are too many, the oldest is cut: a flood drowns itself, while a client that asks and
    /// takes its answer is done before it is the oldest.
    fn admit<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&mut self, stream: S) {
        while self.tasks.try_join_next().is_some() {}
        self.by_age.retain(|task| !task.is_finished());
        if self.by_age.len() >= CONNECTIONS
            && let Some(oldest) = self.by_age.pop_front()
        {
            oldest.abort();
        }
        let connection = connection(stream, self.router.clone(), self.stop.clone());
        self.by_age.push_back(self.tasks.spawn(connection));
    }

    /// Waits until all have ended, as they do once `stop` is given.
    async fn end(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Serves one connection. What becomes of it concerns its client alone.
async fn connection<S>(stream: S, router: Router, stop: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = tokio::time::sleep(CONNECTION) => {}
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(LAST_REQUESTS, connection).await;
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::time::Instant;

    use super::*;

    /// Bytes that the stand-in for a socket holds on their way, in either direction.
    const ON_THE_WAY: usize = 64 * 1024;

    fn connections(stop: &CancellationToken) -> Connections {
        let router = Router::new()
            .route("/livez", get(|| async { "ok\n" }))
            .route("/large", get(|| async { "x".repeat(10 * 1024 * 1024) }));
        Connections::new(router, stop.clone())
    }

    fn open(connections: &mut Connections) -> DuplexStream {
        let (client, server) = duplex(ON_THE_WAY);
        connections.admit(server);
        client
    }

    /// Reads until the server hangs up.
    async fn rest(client: &mut DuplexStream) -> String {
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    async fn ask(connections: &mut Connections, request: &str) -> String {
        let mut client = open(connections);
        let _ = client.write_all(request.as_bytes()).await;
        rest(&mut client).await
    }

    const LIVEZ: &str = "GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

    #[tokio::test(start_paused = true)]
    async fn w01_a_head_that_never_ends_is_waited_for_ten_seconds() {
        let mut connections = connections(&CancellationToken::new());
        let (mut silent, mut slow) = (open(&mut connections), open(&mut connections));
        let began = Instant::now();
        let drops = async {
            while slow.write_all(b"GET /livez HTTP/1.1\r\n").await.is_ok() && began.elapsed() < HEAD * 3 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            began.elapsed()
        };
        let (silent, slow) = tokio::join!(rest(&mut silent), drops);
        assert_eq!(silent, "", "a client that says nothing gets no answer");
        assert!(slow < HEAD * 2, "a drop a second is no longer life: {slow:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn d06_a_client_that_does_not_take_its_answer_is_cut_and_hinders_nobody() {
        let mut connections = connections(&CancellationToken::new());
        let mut slow = open(&mut connections);
        slow.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert!(ask(&mut connections, LIVEZ).await.ends_with("ok\n"));
        let began = Instant::now();
        assert!(connections.tasks.join_next().await.is_some(), "that of /livez");
        assert!(connections.tasks.join_next().await.is_some(), "it is cut");
        assert!(began.elapsed() <= CONNECTION + LAST_REQUESTS, "{:?}", began.elapsed());
        assert!(rest(&mut slow).await.len() <= ON_THE_WAY, "the rest is not kept for it");
    }

    #[tokio::test(start_paused = true)]
    async fn w01_among_too_many_clients_the_oldest_makes_room() {
        let mut connections = connections(&CancellationToken::new());
        let began = Instant::now();
        let mut crowd: Vec<DuplexStream> = (0..10 * CONNECTIONS).map(|_| open(&mut connections)).collect();
        assert!(ask(&mut connections, LIVEZ).await.ends_with("ok\n"));
        assert_eq!(rest(&mut crowd[0]).await, "");
        assert_eq!(began.elapsed(), Duration::ZERO, "nobody waits");
        assert!(connections.by_age.len() <= CONNECTIONS);
    }

    #[tokio::test(start_paused = true)]
    async fn w01_a_head_beyond_all_measure_is_refused() {
        let mut connections = connections(&CancellationToken::new());
        let many: String = (0..100_000).map(|n| format!("x-{n}: y\r\n")).collect();
        let long = "y".repeat(10 * 1024 * 1024);
        for head in [many, format!("x: {long}\r\n")] {
            let answer = ask(&mut connections, &format!("GET /livez HTTP/1.1\r\n{head}\r\n")).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
        }
        let long = ask(&mut connections, &format!("GET /{long} HTTP/1.1\r\n\r\n")).await;
        assert!(long.is_empty() || long.starts_with("HTTP/1.1 4"), "{long}");
    }

    #[tokio::test(start_paused = true)]
    async fn w01_a_body_that_nobody_asked_for_is_not_read_for_ever() {
        let mut connections = connections(&CancellationToken::new());
        let mut client = open(&mut connections);
        client
            .write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n")
            .await
            .unwrap();
        let began = Instant::now();
        let mut chunks = 0_u32;
        while client.write_all(b"5\r\nhello\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            chunks += 1;
        }
        assert!(
            began.elapsed() <= CONNECTION + LAST_REQUESTS + Duration::from_secs(2),
            "{chunks} chunks"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn http_2_is_not_spoken() {
        let mut connections = connections(&CancellationToken::new());
        let answer = ask(&mut connections, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_never_ends_does_not_keep_the_daemon() {
        let stop = CancellationToken::new();
        let mut connections = connections(&stop);
        let mut client = open(&mut connections);
        client.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
        tokio::task::yield_now().await;
        let began = Instant::now();
        stop.cancel();
        connections.end().await;
        assert!(began.elapsed() <= LAST_REQUESTS);
    }
}
