//! The JSON that programs rely on, whole: fields may be added to it, none renamed or dropped.

use pinfold::plan::Report;
use serde_json::json;

use crate::world::{Setup, World};

async fn report() -> (World, Report) {
    let mut world = World::with(Setup {
        git: true,
        ..Setup::default()
    })
    .await;
    world.create("stranger");
    world.function("api", "1.1.0");
    world.file("prod/broken.yaml", "kind: Function\nname: 7\n");
    let report = world.plan().await;
    (world, report)
}

#[tokio::test]
async fn a_report_has_its_summary_its_faults_and_what_is_unmanaged() {
    let (world, report) = report().await;
    let mut json = report.to_json();
    assert_eq!(json["functions"].as_array().unwrap().len(), 2);
    json["functions"] = json!([]);
    insta::assert_snapshot!(world.named(&format!("{json:#}")), @r#"
    {
      "failedTargets": [],
      "faults": [
        {
          "column": 1,
          "file": "prod/broken.yaml",
          "line": 1,
          "message": "apiVersion is missing: add apiVersion: pinfold/v1"
        },
        {
          "column": 1,
          "file": "prod/broken.yaml",
          "line": 1,
          "message": "version is missing: add the artifact's version in quotes, version: \"1.5.0\""
        },
        {
          "column": 7,
          "file": "prod/broken.yaml",
          "line": 2,
          "message": "name: this is a number to YAML, not text: write it in quotes, name: \"7\""
        }
      ],
      "functions": [],
      "inSync": false,
      "revision": "commit#4",
      "schemaVersion": 1,
      "summary": {
        "drifted": 1,
        "failed": 0,
        "inSync": 0,
        "progressing": 0,
        "suspended": 0,
        "unreadable": 0,
        "withheld": 1
      },
      "unmanaged": [
        {
          "function": "stranger",
          "target": "prod"
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn a_function_has_its_drift_its_steps_and_what_is_withheld() {
    let (world, report) = report().await;
    let json = format!("{:#}", report.to_json()["functions"][1]);
    insta::assert_snapshot!(world.named(&json), @r#"
    {
      "account": "000000000000",
      "drift": [
        {
          "alias": "$LATEST",
          "desired": {
            "codeSha256": "sha:1.1.0",
            "version": "1.1.0"
          },
          "kind": "code",
          "live": {
            "codeSha256": "sha:1.0.0",
            "functionVersion": "$LATEST"
          }
        },
        {
          "alias": "live",
          "desired": {
            "codeSha256": "sha:1.1.0",
            "version": "1.1.0"
          },
          "kind": "alias",
          "live": {
            "codeSha256": "sha:1.0.0",
            "functionVersion": "1"
          }
        }
      ],
      "function": "api",
      "region": "us-east-1",
      "state": "Drifted",
      "steps": [
        {
          "action": "UpdateCode",
          "alias": "$LATEST",
          "artifact": "s3://artifacts/api/1.1.0.zip",
          "codeSha256": "sha:1.1.0",
          "objectVersion": "object:api/1.1.0.zip",
          "result": "planned",
          "version": "1.1.0"
        },
        {
          "action": "AwaitUpdated",
          "alias": "$LATEST",
          "codeSha256": "sha:1.1.0",
          "result": "planned"
        },
        {
          "action": "PublishVersion",
          "codeSha256": "sha:1.1.0",
          "result": "planned",
          "to": null,
          "version": "1.1.0"
        },
        {
          "action": "MoveAlias",
          "alias": "live",
          "from": "1",
          "result": "planned",
          "to": null
        }
      ],
      "target": "prod",
      "weightsRead": true,
      "withheld": []
    }
    "#);
}

#[tokio::test]
async fn a_function_of_a_faulty_file_has_an_entry_too() {
    let (world, report) = report().await;
    let json = format!("{:#}", report.to_json()["functions"][0]);
    insta::assert_snapshot!(world.named(&json), @r#"
    {
      "account": null,
      "drift": [],
      "function": "7",
      "region": "us-east-1",
      "state": "Withheld",
      "steps": [],
      "target": "prod",
      "weightsRead": null,
      "withheld": [
        {
          "alias": null,
          "help": "https://github.com/pinfold/pinfold/blob/main/docs/withheld.md#invalidmanifest",
          "message": "prod/broken.yaml:1:1: apiVersion is missing: add apiVersion: pinfold/v1",
          "reason": "InvalidManifest",
          "release": "Correct the file.",
          "since": null,
          "until": null
        }
      ]
    }
    "#);
}
