//! Lambda's REST API: from method, path, query and JSON to an operation with its input, and back to a reply.

use axum::body::Body;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::super::lambda::{ErrorKind, LambdaError, Reply, Request, error_body};
use super::super::world::Refusal;
use super::{Answer, Exchange, Subject, reply, set_header, uri};

pub(super) async fn answer(exchange: Exchange, head: &Parts, body: &[u8]) -> Response {
    let (operation, input) = parse(head, body);
    let text = |member: &str| {
        input
            .as_ref()
            .ok()
            .and_then(|input| input.get(member))
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    let function = text("FunctionName").or_else(|| text("Resource")).unwrap_or_default();
    let alias = operation.ends_with("Alias").then(|| text("Name")).flatten();
    let subject = Subject {
        service: "lambda",
        operation: operation.to_owned(),
        resource: short_name(&function),
        qualifier: text("Qualifier").or(alias).or_else(|| inline_qualifier(&function)),
        params: input.as_ref().map_or(Value::Null, |input| redact(input.clone().into())),
    };
    let request = input.and_then(|input| Request::parse(operation, input.into()));
    let refuse = |refusal: &Refusal| {
        let mut response = error(refusal.status, &refusal.error_type, &refusal.message);
        if let Some(seconds) = refusal.retry_after {
            set_header(&mut response, "retry-after", &seconds.to_string());
        }
        response
    };
    exchange
        .run(subject, refuse, |world, context| {
            match request.and_then(|request| world.lambda.call(context, &world.s3, request)) {
                Ok(done) => Answer {
                    response: success(done),
                    error_type: None,
                },
                Err(LambdaError { kind, message }) => Answer {
                    response: error(kind.status(), kind.code(), &message),
                    error_type: Some(kind.code().to_owned()),
                },
            }
        })
        .await
}

fn success(done: Reply) -> Response {
    if let Some(body) = done.body {
        return reply(done.status, "application/json", body.to_string());
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = axum::http::StatusCode::NO_CONTENT;
    response
}

fn error(status: u16, code: &str, message: &str) -> Response {
    let mut response = reply(
        status,
        "application/json",
        error_body(code, status, message).to_string(),
    );
    set_header(&mut response, "x-amzn-errortype", code);
    response
}

/// The operation's name, and the members of its input from path, query and body together.
fn parse(head: &Parts, body: &[u8]) -> (&'static str, Result<Map<String, Value>, LambdaError>) {
    let path: Vec<String> = head
        .uri
        .path()
        .split('/')
        .skip(2)
        .filter(|part| !part.is_empty())
        .map(uri::decode)
        .collect();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let Some((operation, named)) = route(&head.method, &path) else {
        let message = format!("the sandbox does not have {} {}", head.method, head.uri.path());
        return ("Unknown", Err(LambdaError::new(ErrorKind::UnknownOperation, message)));
    };
    let body = if body.is_empty() { b"{}" } else { body };
    let Ok(Value::Object(mut input)) = serde_json::from_slice(body) else {
        let error = LambdaError::new(ErrorKind::Serialization, "Could not parse request body into json");
        return (operation, Err(error));
    };
    for (name, value) in uri::pairs(head.uri.query().unwrap_or_default()) {
        if name == "tagKeys" {
            if let Some(keys) = input.entry("TagKeys").or_insert_with(|| json!([])).as_array_mut() {
                keys.push(value.into());
            }
        } else if name == "MaxItems" {
            input.insert(
                name,
                value.parse::<i64>().map_or_else(|_| Value::from(value), Value::from),
            );
        } else {
            input.insert(name, value.into());
        }
    }
    for (member, value) in named {
        input.insert(member.to_owned(), value.into());
    }
    (operation, Ok(input))
}

type Named<'a> = Vec<(&'static str, &'a str)>;

/// The operation behind a method and a path (without the date that every path begins with), and the members that the
/// path names.
fn route<'a>(method: &Method, path: &[&'a str]) -> Option<(&'static str, Named<'a>)> {
    let function = |name: &'a str| vec![("FunctionName", name)];
    Some(match (method.as_str(), path) {
        ("POST", ["functions"]) => ("CreateFunction", Vec::new()),
        ("GET", ["functions"]) => ("ListFunctions", Vec::new()),
        ("GET", ["functions", name]) => ("GetFunction", function(name)),
        ("DELETE", ["functions", name]) => ("DeleteFunction", function(name)),
        ("GET", ["functions", name, "configuration"]) => ("GetFunctionConfiguration", function(name)),
        ("PUT", ["functions", name, "configuration"]) => ("UpdateFunctionConfiguration", function(name)),
        ("PUT", ["functions", name, "code"]) => ("UpdateFunctionCode", function(name)),
        ("POST", ["functions", name, "versions"]) => ("PublishVersion", function(name)),
        ("GET", ["functions", name, "versions"]) => ("ListVersionsByFunction", function(name)),
        ("POST", ["functions", name, "aliases"]) => ("CreateAlias", function(name)),
        ("GET", ["functions", name, "aliases"]) => ("ListAliases", function(name)),
        (verb, ["functions", name, "aliases", alias]) => {
            let operation = match verb {
                "GET" => "GetAlias",
                "PUT" => "UpdateAlias",
                "DELETE" => "DeleteAlias",
                _ => return None,
            };
            (operation, vec![("FunctionName", name), ("Name", alias)])
        }
        ("PUT", ["functions", name, "concurrency"]) => ("PutFunctionConcurrency", function(name)),
        ("GET", ["functions", name, "concurrency"]) => ("GetFunctionConcurrency", function(name)),
        ("DELETE", ["functions", name, "concurrency"]) => ("DeleteFunctionConcurrency", function(name)),
        ("GET", ["functions", name, "provisioned-concurrency"]) => ("GetProvisionedConcurrencyConfig", function(name)),
        ("PUT", ["functions", name, "provisioned-concurrency"]) => ("PutProvisionedConcurrencyConfig", function(name)),
        ("GET", ["functions", name, "policy"]) => ("GetPolicy", function(name)),
        ("POST", ["tags", arn]) => ("TagResource", vec![("Resource", arn)]),
        ("GET", ["tags", arn]) => ("ListTags", vec![("Resource", arn)]),
        ("DELETE", ["tags", arn]) => ("UntagResource", vec![("Resource", arn)]),
        ("GET", ["account-settings"]) => ("GetAccountSettings", Vec::new()),
        _ => return None,
    })
}

/// A function's bare name, out of any form in which a request may give it.
fn short_name(function: &str) -> String {
    let parts: Vec<&str> = function.split(':').collect();
    let at = parts.iter().position(|part| *part == "function").map_or(0, |at| at + 1);
    parts.get(at).copied().unwrap_or_default().to_owned()
}

fn inline_qualifier(function: &str) -> Option<String> {
    let parts: Vec<&str> = function.split(':').collect();
    let at = parts.iter().position(|part| *part == "function").map_or(0, |at| at + 1);
    parts.get(at + 1).map(|qualifier| (*qualifier).to_owned())
}

/// The input as the record keeps it: zips as hash and size, the values of environment variables left out.
fn redact(mut input: Value) -> Value {
    if let Some(Value::Object(variables)) = input.pointer_mut("/Environment/Variables") {
        for value in variables.values_mut() {
            *value = json!("(not recorded)");
        }
    }
    for place in ["/ZipFile", "/Code/ZipFile"] {
        if let Some(zip) = input.pointer_mut(place) {
            use base64::Engine as _;
            let engine = base64::engine::general_purpose::STANDARD;
            let bytes = zip
                .as_str()
                .and_then(|text| engine.decode(text).ok())
                .unwrap_or_default();
            *zip = json!({ "sha256": engine.encode(Sha256::digest(&bytes)), "size": bytes.len() });
        }
    }
    input
}
