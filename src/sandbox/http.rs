//! The sandbox over HTTP: takes a request apart, lets the faults and latencies befall it, and has a service answer it.
//! What the services do is not decided here.

mod admin;
mod caller;
mod chunked;
mod lambda;
mod line;
mod s3;
mod s3_listing;
mod s3_object;
mod s3_request;
mod sts;
mod uri;
mod xml;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::call::Call;
use super::lambda::Context;
use super::world::{Refusal, Shared, World};
use caller::{Caller, Service};
use line::Line;

/// The largest body that is taken: above S3's and Lambda's sensible uses, below what would drown the machine.
const BODY_LIMIT: usize = 1024 * 1024 * 1024;

#[derive(Debug, Clone)]
struct App {
    shared: Arc<Shared>,
    stop: CancellationToken,
    /// Calls on their way. They go on when their client hangs up, as they do at AWS: who gives up waiting does not know
    /// whether the call took effect.
    calls: TaskTracker,
}

pub(super) async fn serve(
    shared: Arc<Shared>,
    listener: tokio::net::TcpListener,
    stop: CancellationToken,
) -> io::Result<()> {
    let calls = TaskTracker::new();
    let app = App {
        shared,
        stop: stop.clone(),
        calls: calls.clone(),
    };
    let router = Router::new().fallback(handle).with_state(app);
    axum::serve(
        line::Listener::new(listener),
        router.into_make_service_with_connect_info::<Line>(),
    )
    .with_graceful_shutdown(stop.cancelled_owned())
    .await?;
    calls.close();
    calls.wait().await;
    Ok(())
}

async fn handle(State(app): State<App>, ConnectInfo(line): ConnectInfo<Line>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, BODY_LIMIT).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let path = head.uri.path();
    if let Some(path) = path.strip_prefix("/_sandbox/") {
        return admin::answer(&app.shared, &head, path, &body);
    }
    let caller = Caller::of(&head, &app.shared.options.account);
    let calls = app.calls.clone();
    let exchange = Exchange {
        app,
        line,
        endpoint: caller::endpoint(&head),
        caller,
    };
    let call = calls.spawn(async move {
        match exchange.caller.service(&head, &body) {
            Service::Lambda => lambda::answer(exchange, &head, &body).await,
            Service::Sts => sts::answer(exchange, &body).await,
            Service::S3 => s3::answer(exchange, &head, body).await,
        }
    });
    call.await
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// A request on its way through the sandbox.
struct Exchange {
    app: App,
    line: Line,
    caller: Caller,
    endpoint: String,
}

/// What the record says of a call.
struct Subject {
    service: &'static str,
    operation: String,
    resource: String,
    qualifier: Option<String>,
    params: Value,
}

/// A reply, with the error's type where it is one.
struct Answer {
    response: Response,
    error_type: Option<String>,
}

impl Exchange {
    /// Lets the call's fate befall it, carries it out, and records it.
    async fn run(
        self,
        subject: Subject,
        refuse: fn(&Refusal) -> Response,
        carry_out: impl FnOnce(&mut World, &Context) -> Answer,
    ) -> Response {
        let Self {
            app,
            line,
            caller,
            endpoint,
        } = self;
        let place = (caller.account.as_str(), caller.region.as_str());
        let fate = app
            .shared
            .fate(subject.service, &subject.operation, &subject.resource, place);
        if !fate.wait.is_zero() {
            tokio::select! {
                () = app.shared.options.clock.sleep(fate.wait) => {}
                // A clock that stands still must not keep the server from stopping.
                () = app.stop.cancelled() => line.cut(),
            }
        }
        let mut world = app.shared.lock();
        let (answer, cut) = if fate.cut_before || line.is_cut() {
            (None, true)
        } else if let Some(refusal) = &fate.refusal {
            let answer = Answer {
                response: refuse(refusal),
                error_type: Some(refusal.error_type.clone()),
            };
            (Some(answer), fate.cut_after)
        } else {
            let context = app
                .shared
                .context(&mut world, &subject.operation, place, &endpoint, &fate);
            (Some(carry_out(&mut world, &context)), fate.cut_after)
        };
        tracing::debug!(
            service = subject.service,
            operation = subject.operation,
            resource = subject.resource,
            status = answer.as_ref().map(|answer| answer.response.status().as_u16()),
            cut,
            "the sandbox answered a call"
        );
        world.calls.record(Call {
            seq: 0,
            service: subject.service.to_owned(),
            operation: subject.operation,
            resource: subject.resource,
            qualifier: subject.qualifier,
            params: subject.params,
            status: answer.as_ref().map(|answer| answer.response.status().as_u16()),
            error_type: answer.as_ref().and_then(|answer| answer.error_type.clone()),
            cut,
            account: caller.account,
            region: caller.region,
        });
        let id = world.dice.uuid();
        drop(world);
        if cut {
            line.cut();
        }
        let mut response = answer.map_or_else(|| StatusCode::OK.into_response(), |answer| answer.response);
        let header = if subject.service == "s3" {
            "x-amz-request-id"
        } else {
            "x-amzn-requestid"
        };
        set_header(&mut response, header, &id);
        response
    }
}

/// Sets a header. A value that HTTP cannot carry is left out: AWS does not send such values either.
fn set_header(response: &mut Response, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (
        axum::http::HeaderName::try_from(name),
        axum::http::HeaderValue::try_from(value),
    ) {
        response.headers_mut().insert(name, value);
    }
}

/// A reply with a body of some type.
fn reply(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    set_header(&mut response, "content-type", content_type);
    response
}
