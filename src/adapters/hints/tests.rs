//! A queue on the loopback that speaks SQS's JSON protocol, and STS's beside it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::*;
use crate::adapters::aws::connect_to;
use crate::ports::Hint;

/// What the queue holds, and what it was asked for.
#[derive(Default)]
struct Queue {
    bodies: Vec<String>,
    asked: Vec<(String, Value)>,
    /// The status and the code of an error to answer with.
    error: Option<(u16, &'static str)>,
    /// How many of the next deletions fail.
    failing: usize,
}

type Shared = Arc<Mutex<Queue>>;

async fn answer(State(queue): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let mut queue = queue.lock().unwrap();
    let Some(target) = headers.get("x-amz-target") else {
        let identity = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                        <GetCallerIdentityResult><Account>111111111111</Account><UserId>AROAPINFOLD:pinfold</UserId>\
                        </GetCallerIdentityResult></GetCallerIdentityResponse>";
        return identity.into_response();
    };
    let operation = target.to_str().unwrap().to_owned();
    let asked: Value = serde_json::from_slice(&body).unwrap();
    queue.asked.push((operation.clone(), asked.clone()));
    if let Some((status, code)) = queue.error {
        let body = json!({ "__type": code, "message": "no" }).to_string();
        return (StatusCode::from_u16(status).unwrap(), body).into_response();
    }
    let answer = if operation == "AmazonSQS.ReceiveMessage" {
        let messages = queue.bodies.iter().enumerate().map(
            |(at, body)| json!({ "MessageId": at.to_string(), "ReceiptHandle": format!("receipt {at}"), "Body": body }),
        );
        json!({ "Messages": messages.collect::<Vec<_>>() })
    } else {
        let failing = queue.failing;
        let entries = asked["Entries"].as_array().unwrap();
        let failed = entries[..failing]
            .iter()
            .map(|entry| json!({ "Id": entry["Id"], "Code": "ReceiptHandleIsInvalid", "SenderFault": true }));
        let deleted = entries[failing..].iter().map(|entry| json!({ "Id": entry["Id"] }));
        json!({ "Successful": deleted.collect::<Vec<_>>(), "Failed": failed.collect::<Vec<_>>() })
    };
    answer.to_string().into_response()
}

async fn queue(bodies: &[String]) -> (QueueHints, Shared, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Shared::default();
    shared.lock().unwrap().bodies = bodies.to_vec();
    let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
    let mut server = JoinSet::new();
    server.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let url = format!("http://{address}/111111111111/pinfold").parse().unwrap();
    let connection = connect_to(address).await;
    let hints = QueueHints::new(&connection, url, &Telemetry::new().unwrap());
    (hints, shared, server)
}

fn event(by: &str) -> String {
    json!({
        "source": "aws.lambda", "detail-type": "AWS API Call via CloudTrail",
        "account": "111111111111", "region": "us-east-1",
        "detail": {
            "eventName": "UpdateAlias20150331", "userIdentity": { "principalId": by },
            "requestParameters": { "functionName": "api" },
        },
    })
    .to_string()
}

#[tokio::test]
async fn messages_are_waited_for_read_and_taken_off_the_queue() {
    let (hints, queue, _server) = queue(&[event("AROAOTHER:x"), event("AROAPINFOLD:other"), "x".to_owned()]).await;
    let messages = hints.receive().await.unwrap();
    assert!(matches!(messages[0].hint, Hint::Changed { .. }));
    assert_eq!(messages[1].hint, Hint::Own);
    assert!(matches!(messages[2].hint, Hint::Malformed(_)));
    hints
        .delete(messages.into_iter().map(|message| message.receipt).collect())
        .await
        .unwrap();
    let asked = std::mem::take(&mut queue.lock().unwrap().asked);
    let url = hints.queue.as_str();
    let entries = ["0", "1", "2"].map(|id| json!({ "Id": id, "ReceiptHandle": format!("receipt {id}") }));
    assert_eq!(
        asked,
        [
            (
                "AmazonSQS.ReceiveMessage".to_owned(),
                json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20 })
            ),
            (
                "AmazonSQS.DeleteMessageBatch".to_owned(),
                json!({ "QueueUrl": url, "Entries": entries })
            ),
        ]
    );
}

#[tokio::test]
async fn a_queue_that_refuses_is_asked_once_and_says_why() {
    let (hints, queue, _server) = queue(&[]).await;
    queue.lock().unwrap().error = Some((403, "AccessDeniedException"));
    let error = hints.receive().await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::AccessDenied);
    assert!(
        error.to_string().starts_with("ReceiveMessage http://127.0.0.1:"),
        "{error}"
    );
    queue.lock().unwrap().error = Some((500, "InternalError"));
    assert!(hints.receive().await.is_err());
    assert_eq!(queue.lock().unwrap().asked.len(), 2, "nothing is tried again here");
}

#[tokio::test]
async fn a_message_that_stays_is_told() {
    let (hints, queue, _server) = queue(&[]).await;
    queue.lock().unwrap().failing = 1;
    let error = hints.delete(vec!["a".to_owned(), "b".to_owned()]).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("1 messages are still there: ReceiptHandleIsInvalid"),
        "{error}"
    );
}
