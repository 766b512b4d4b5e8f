//! The sandbox's own endpoints under `/_sandbox/`: health, calls, faults, state, clock, and packages to download.

use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::clock::Clock;
use super::super::fault::Fault;
use super::super::lambda::Lambda;
use super::super::s3::S3;
use super::super::state;
use super::super::world::Shared;
use super::{reply, uri};

/// One fault or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Faults {
    Many(Vec<Fault>),
    One(Fault),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    ms: u64,
}

pub(super) fn answer(shared: &Shared, head: &Parts, path: &str, body: &[u8]) -> Response {
    let path = uri::decode(path);
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let method = &head.method;
    match (method, parts.as_slice()) {
        (&Method::GET, ["health"]) => json_reply(200, &json!({ "status": "ok" })),
        (&Method::GET, ["calls"]) => json_reply(200, &json!({ "calls": shared.lock().calls.all() })),
        (&Method::DELETE, ["calls"]) => {
            shared.lock().calls.clear();
            done()
        }
        (&Method::GET, ["faults"]) => {
            let world = shared.lock();
            let waiting: Vec<&Fault> = world.faults.waiting().collect();
            json_reply(200, &json!({ "faults": waiting }))
        }
        (&Method::POST, ["faults"]) => {
            // The untagged reading hides what is wrong, so a single fault is read for its message.
            let faults = serde_json::from_slice(body).or_else(|_| serde_json::from_slice(body).map(Faults::One));
            let faults = match faults {
                Ok(Faults::Many(faults)) => faults,
                Ok(Faults::One(fault)) => vec![fault],
                Err(error) => return refuse(400, &error.to_string()),
            };
            let mut world = shared.lock();
            for fault in faults {
                world.faults.inject(fault);
            }
            done()
        }
        (&Method::DELETE, ["faults"]) => {
            shared.lock().faults.clear();
            done()
        }
        (&Method::GET, ["state"]) => match serde_json::to_vec(&state::save(shared)) {
            Ok(body) => reply(200, "application/json", body),
            Err(error) => refuse(500, &error.to_string()),
        },
        (&Method::PUT, ["state"]) => match serde_json::from_slice(body) {
            Ok(state) => match state::load(shared, state) {
                Ok(()) => done(),
                Err(error) => refuse(400, &error.to_string()),
            },
            Err(error) => refuse(400, &error.to_string()),
        },
        (&Method::POST, ["reset"]) => {
            let mut world = shared.lock();
            world.lambda = Lambda::new(shared.options.seed);
            world.s3 = S3::new(shared.options.seed);
            world.faults.clear();
            world.quotas.clear();
            world.calls.clear();
            done()
        }
        (&Method::GET, ["clock"]) => json_reply(200, &json!({ "now": shared.now() })),
        (&Method::POST, ["clock", "advance"]) => match (serde_json::from_slice(body), &shared.options.clock) {
            (Ok(Advance { ms }), Clock::Manual(clock)) => {
                clock.advance(std::time::Duration::from_millis(ms));
                json_reply(200, &json!({ "now": shared.now() }))
            }
            (Ok(_), Clock::Wall) => refuse(409, "the sandbox runs on the wall clock"),
            (Err(error), _) => refuse(400, &error.to_string()),
        },
        (
            &Method::GET,
            [
                "code",
                "arn",
                "aws",
                "lambda",
                region,
                account,
                "function",
                name,
                version,
            ],
        ) => match shared.lock().lambda.package(region, account, name, version) {
            Some(bytes) => reply(200, "application/zip", bytes),
            None => refuse(404, "there is no such package"),
        },
        _ => refuse(404, "the sandbox has no such endpoint"),
    }
}

fn json_reply(status: u16, body: &Value) -> Response {
    reply(status, "application/json", body.to_string())
}

fn done() -> Response {
    json_reply(200, &json!({}))
}

fn refuse(status: u16, message: &str) -> Response {
    json_reply(status, &json!({ "error": message }))
}
