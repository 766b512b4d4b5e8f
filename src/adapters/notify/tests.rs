//! What each receiver is sent, and what its answers mean.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use axum::http::StatusCode;
use chrono::DateTime;
use insta::assert_snapshot;

use super::*;
use crate::domain::FunctionKey;
use crate::notify::{CommitState, CommitStatus, Forge, ForgeKind, Message, Severity, Tracker};
use crate::plan::{FunctionReport, Reason, Report, State, Subject, Withheld};

const PAGE: Option<&str> = Some("https://pinfold.example.com");

/// A message of so many functions that are withheld, in words that are markup to some.
fn message(count: usize) -> Message {
    let functions = (0..count).map(|number| FunctionReport {
        key: FunctionKey {
            target: "prod".parse().unwrap(),
            name: format!("f{number}").parse().unwrap(),
        },
        account: None,
        region: None,
        state: State::Withheld,
        drift: Vec::new(),
        steps: Vec::new(),
        withheld: vec![Withheld {
            subject: Subject::Latest,
            reason: Reason::ArtifactNotFound,
            message: "no <!channel> & *such* [object](https://evil.example) <at>all</at>".to_owned(),
            since: None,
            until: None,
        }],
        live: None,
        aliases: Vec::new(),
    });
    let report = Report {
        functions: functions.collect(),
        ..Report::default()
    };
    let at = DateTime::from_timestamp(1_767_225_600, 0).unwrap();
    let events = Tracker::default().observe(&report, at);
    let revision = "c7e12920a1b2c3d4e5f60718293a4b5c6d7e8f90".parse().ok();
    Message::of(events, revision, at).unwrap()
}

fn pretty(payload: &Value) -> String {
    serde_json::to_string_pretty(payload).unwrap()
}

#[test]
fn slack_gets_blocks_in_which_nothing_is_markup() {
    assert_snapshot!(pretty(&slack::payload(&message(1), PAGE)), @r#"
    {
      "blocks": [
        {
          "text": {
            "emoji": false,
            "text": "Pinfold: prod/f0 withheld",
            "type": "plain_text"
          },
          "type": "header"
        },
        {
          "text": {
            "emoji": false,
            "text": "prod/f0 withheld: ArtifactNotFound of $LATEST: no <!channel> & *such* [object](https://evil.example) <at>all</at>",
            "type": "plain_text"
          },
          "type": "section"
        },
        {
          "elements": [
            {
              "emoji": false,
              "text": "warning, commit c7e1292",
              "type": "plain_text"
            },
            {
              "text": "<https://pinfold.example.com|status>",
              "type": "mrkdwn"
            }
          ],
          "type": "context"
        }
      ],
      "text": "Pinfold: prod/f0 withheld",
      "unfurl_links": false,
      "unfurl_media": false
    }
    "#);
}

#[test]
fn a_large_pass_stays_within_the_bounds_of_slack_and_teams() {
    let message = message(1000);
    let slack = slack::payload(&message, PAGE);
    let blocks = slack["blocks"].as_array().unwrap();
    assert_eq!(blocks.len(), 1 + 15 + 1 + 1);
    assert_eq!(blocks[16]["text"]["text"], "and 985 more");
    assert_eq!(slack["text"], "Pinfold: 1000 withheld");
    assert!(teams::payload(&message, PAGE).to_string().len() < 28 * 1024);
}

#[test]
fn teams_gets_a_card_of_text_runs() {
    assert_snapshot!(pretty(&teams::payload(&message(1), PAGE)), @r#"
    {
      "attachments": [
        {
          "content": {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "actions": [
              {
                "title": "Status",
                "type": "Action.OpenUrl",
                "url": "https://pinfold.example.com"
              }
            ],
            "body": [
              {
                "inlines": [
                  {
                    "color": "warning",
                    "size": "large",
                    "text": "Pinfold: prod/f0 withheld",
                    "type": "TextRun",
                    "weight": "bolder"
                  }
                ],
                "type": "RichTextBlock"
              },
              {
                "inlines": [
                  {
                    "text": "prod/f0 withheld: ArtifactNotFound of $LATEST: no <!channel> & *such* [object](https://evil.example) <at>all</at>",
                    "type": "TextRun"
                  }
                ],
                "type": "RichTextBlock"
              },
              {
                "inlines": [
                  {
                    "isSubtle": true,
                    "size": "small",
                    "text": "commit c7e1292",
                    "type": "TextRun"
                  }
                ],
                "type": "RichTextBlock"
              }
            ],
            "fallbackText": "Pinfold: prod/f0 withheld",
            "msteams": {
              "width": "Full"
            },
            "type": "AdaptiveCard",
            "version": "1.4"
          },
          "contentType": "application/vnd.microsoft.card.adaptive",
          "contentUrl": null
        }
      ],
      "type": "message"
    }
    "#);
}

#[test]
fn a_webhook_gets_signed_json() {
    let (headers, body) = webhook::request(&message(1), PAGE, &Secret::new("key")).unwrap();
    let payload: Value = serde_json::from_slice(&body).unwrap();
    let mut mac = <hmac::Hmac<sha2::Sha256> as hmac::KeyInit>::new_from_slice(b"key").unwrap();
    hmac::Mac::update(&mut mac, &body);
    let expected = format!("sha256={}", hex::encode(hmac::Mac::finalize(mac).into_bytes()));
    let header = |name: &str| {
        let found = headers.iter().find(|(one, _)| one.as_str() == name);
        found.unwrap().1.to_str().unwrap().to_owned()
    };
    assert_eq!(header("x-pinfold-signature-256"), expected);
    assert_eq!(payload["id"], header("x-pinfold-delivery"));
    let (again, _) = webhook::request(&message(1), PAGE, &Secret::new("key")).unwrap();
    assert_eq!(headers, again, "a delivery that is tried again is the same");
    let without_id = {
        let mut payload = payload;
        payload["id"] = Value::Null;
        payload
    };
    assert_snapshot!(pretty(&without_id), @r#"
    {
      "counts": {
        "withheld": 1
      },
      "events": [
        {
          "function": "f0",
          "kind": "withheld",
          "message": "ArtifactNotFound of $LATEST: no <!channel> & *such* [object](https://evil.example) <at>all</at>",
          "reasons": [
            "ArtifactNotFound"
          ],
          "severity": "warning",
          "target": "prod"
        }
      ],
      "id": null,
      "omitted": 0,
      "revision": "c7e12920a1b2c3d4e5f60718293a4b5c6d7e8f90",
      "schemaVersion": 1,
      "severity": "warning",
      "timestamp": "2026-01-01T00:00:00Z",
      "title": "Pinfold: prod/f0 withheld",
      "url": "https://pinfold.example.com"
    }
    "#);
}

fn forge(kind: ForgeKind) -> Forge {
    Forge {
        kind,
        api_url: "https://forge.example.com/api".parse().unwrap(),
        repository: "acme/group/versions".to_owned(),
        token_file: PathBuf::new(),
    }
}

#[test]
fn forges_get_each_their_own_words() {
    let status = CommitStatus {
        revision: "c7e12920a1b2c3d4e5f60718293a4b5c6d7e8f90".parse().unwrap(),
        target: "prod".parse().unwrap(),
        state: CommitState::Failure,
        description: "1 of 2 functions wait for somebody".to_owned(),
    };
    assert_snapshot!(forge(ForgeKind::GitHub).payload(&status, PAGE), @r#"{"context":"pinfold/prod","description":"1 of 2 functions wait for somebody","state":"failure","target_url":"https://pinfold.example.com"}"#);
    assert_snapshot!(forge(ForgeKind::GitLab).payload(&status, None), @r#"{"description":"1 of 2 functions wait for somebody","name":"pinfold/prod","state":"failed"}"#);
}

#[test]
fn an_answer_says_whether_to_try_again() {
    let answer = |status: u16, body: &'static str, retry_after: Option<u64>| {
        let answer = Answer {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: retry_after.map(Duration::from_secs),
            date: None,
            body: Bytes::from_static(body.as_bytes()),
            broken: false,
        };
        judge(Ok(answer)).map_err(|error| (error.retry, error.to_string()))
    };
    assert_eq!(answer(200, "ok", None), Ok(()));
    assert_eq!(answer(202, "", None), Ok(()), "Teams accepts");
    let busy = answer(429, "rate_limited", Some(30)).unwrap_err();
    assert_eq!(busy.0, Retry::After(Duration::from_secs(30)));
    assert_eq!(answer(502, "", None).unwrap_err().0, Retry::Later);
    let gone = answer(404, "no_service", None).unwrap_err();
    assert_eq!(gone.0, Retry::Never);
    assert_eq!(
        gone.1,
        "answered 404 (no_service): there is nothing at that address: it was removed, or it is wrong"
    );
    let said = answer(400, "https://hooks.slack.com/services/T/B/secret", None)
        .unwrap_err()
        .1;
    assert!(
        !said.contains("secret"),
        "what could be the address is not repeated: {said}"
    );
    assert_eq!(message(1).severity(), Severity::Warning);
    assert_eq!(BTreeSet::from([Reason::ArtifactNotFound]), message(1).events[0].reasons);
}
