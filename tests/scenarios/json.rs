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
    insta::assert_snapshot!(world.named(&format!("{json:#}")), @"");
}

#[tokio::test]
async fn a_function_has_its_drift_its_steps_and_what_is_withheld() {
    let (world, report) = report().await;
    let json = format!("{:#}", report.to_json()["functions"][1]);
    insta::assert_snapshot!(world.named(&json), @"");
}

#[tokio::test]
async fn a_function_of_a_faulty_file_has_an_entry_too() {
    let (world, report) = report().await;
    let json = format!("{:#}", report.to_json()["functions"][0]);
    insta::assert_snapshot!(world.named(&json), @"");
}
