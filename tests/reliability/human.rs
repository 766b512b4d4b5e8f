//! Somebody else's hands in the account, between any two calls of a pass: a person, Terraform, CodeDeploy. Nothing of
//! theirs is replaced unread, and in the end things are as Git says.

use std::time::Duration;

use pinfold::sandbox::{Code, Place};
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::gate::Gate;
use crate::jobs::JOBS;
use crate::run::{Run, writes_of};
use crate::stage::{Stage, zip};

/// What somebody does. It may be refused, as anybody's call may be.
pub(crate) type Deed = (&'static str, fn(&Place));

pub(crate) const DEEDS: [Deed; 19] = [
    ("moves live", |aws| update_alias(aws, "live", "1", &json!({}))),
    ("moves live to the newest version", |aws| {
        update_alias(aws, "live", &newest(aws), &json!({}));
    }),
    ("points live at $LATEST", |aws| {
        update_alias(aws, "live", "$LATEST", &json!({}));
    }),
    ("sends a share of live elsewhere", |aws| {
        update_alias(aws, "live", "1", &json!({ newest(aws): 0.25 }));
    }),
    ("provisions live, which takes its time", |aws| {
        let aws = aws.clone().lasting(Duration::from_secs(7));
        let _ = aws.provision("api", "live", 2);
    }),
    ("deletes live", |aws| {
        call(aws, "DeleteAlias", json!({ "FunctionName": "api", "Name": "live" }));
    }),
    ("makes beta", |aws| {
        let input = json!({ "FunctionName": "api", "Name": "beta", "FunctionVersion": "1" });
        call(aws, "CreateAlias", input);
    }),
    ("uploads a hotfix", |aws| upload(aws, &Code::zip(zip("hotfix")))),
    ("uploads a hotfix that takes its time", |aws| {
        upload(&aws.clone().lasting(Duration::from_secs(7)), &Code::zip(zip("hotfix")));
    }),
    ("uploads a hotfix that fails", |aws| {
        upload(
            &aws.clone().failing("InvalidZipFileException", "no"),
            &Code::zip(zip("hotfix")),
        );
    }),
    ("uploads the same release", |aws| {
        upload(aws, &Code::s3("artifacts", "api/1.1.0.zip"));
    }),
    ("uploads the candidate", |aws| {
        upload(aws, &Code::s3("artifacts", "api/2.0.0-rc.1.zip"));
    }),
    ("publishes", |aws| {
        call(
            aws,
            "PublishVersion",
            json!({ "FunctionName": "api", "Description": "by hand" }),
        );
    }),
    ("changes the configuration", |aws| configure(aws, 9)),
    ("changes the configuration, which takes its time", |aws| {
        configure(&aws.clone().lasting(Duration::from_secs(7)), 11);
    }),
    ("tags", |aws| {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:api";
        call(aws, "TagResource", json!({ "Resource": arn, "Tags": { "team": "a" } }));
    }),
    ("deletes the newest version", |aws| {
        let input = json!({ "FunctionName": "api", "Qualifier": newest(aws) });
        call(aws, "DeleteFunction", input);
    }),
    ("deletes the oldest version", |aws| {
        call(
            aws,
            "DeleteFunction",
            json!({ "FunctionName": "api", "Qualifier": "1" }),
        );
    }),
    ("makes the function anew", |aws| {
        call(aws, "DeleteFunction", json!({ "FunctionName": "api" }));
        let function = pinfold::sandbox::NewFunction::new("api", Code::zip(zip("placeholder")));
        let _ = aws.create_function(function);
    }),
];

fn call(aws: &Place, operation: &str, input: Value) {
    // Lambda refuses what does not fit the moment; whoever does it by hand sees that, and leaves it.
    let _ = aws.call(operation, input);
}

fn update_alias(aws: &Place, alias: &str, version: &str, weights: &Value) {
    let input = json!({
        "FunctionName": "api", "Name": alias, "FunctionVersion": version,
        "RoutingConfig": { "AdditionalVersionWeights": weights },
    });
    call(aws, "UpdateAlias", input);
}

fn upload(aws: &Place, code: &Code) {
    let _ = aws.update_code("api", code);
}

fn configure(aws: &Place, timeout: u32) {
    let input = json!({ "FunctionName": "api", "Timeout": timeout });
    call(aws, "UpdateFunctionConfiguration", input);
}

fn newest(aws: &Place) -> String {
    let listed = aws.call("ListVersionsByFunction", json!({ "FunctionName": "api" }));
    let versions = listed.unwrap()["Versions"].as_array().unwrap().clone();
    versions.last().unwrap()["Version"].as_str().unwrap().to_owned()
}

/// Makes a pass with deeds before some of its calls, and passes until all is quiet.
fn disturbed(stage: &Stage, deeds: &[(usize, &Deed)], expected: &Value, case: &str) -> usize {
    let gate = Gate::default().watched(stage.witness());
    let engine = stage.engine(&gate);
    let mut run = Run::new(&engine, &stage.desired, &gate);
    let mut calls = 0;
    loop {
        for (_, (_, deed)) in deeds.iter().filter(|(before, _)| *before == calls) {
            deed(&stage.aws);
        }
        if !run.step() {
            break;
        }
        calls += 1;
    }
    drop(run);
    let mut writes = writes_of(&gate);
    gate.forget();
    writes.extend(stage.settle_with(&engine, &gate));
    assert_eq!(stage.live(), *expected, "{case}");
    stage.assert_sound(&writes, &[&stage.desired], case);
    stage.assert_no_version_twice(case);
    calls
}

fn expected(stage: &Stage) -> Value {
    stage.settle();
    stage.live()
}

#[test]
fn somebody_may_do_anything_between_any_two_calls() {
    let mut points = 0;
    for job in JOBS
        .iter()
        .filter(|job| ["bump", "beta candidate", "revert"].contains(&job.name))
    {
        let expected = expected(&job.world(Duration::ZERO));
        let stage = job.world(Duration::ZERO);
        let start = stage.sandbox.save();
        for deed in &DEEDS {
            for before in 0.. {
                stage.sandbox.load(start.clone()).unwrap();
                let case = format!("{}: somebody {} before call {before}", job.name, deed.0);
                let calls = disturbed(&stage, &[(before, deed)], &expected, &case);
                points += 1;
                if calls <= before {
                    break;
                }
            }
        }
    }
    println!("interferences: {points}");
    assert!(points >= 800, "only {points} interferences were tried");
}

#[test]
fn somebody_may_do_several_things_at_random() {
    let mut runs = 0;
    for (number, job) in JOBS.iter().enumerate() {
        let expected = expected(&job.world(Duration::ZERO));
        let stage = job.world(Duration::from_millis(700));
        let start = stage.sandbox.save();
        for seed in 0..24 {
            stage.sandbox.load(start.clone()).unwrap();
            let mut dice = Dice::new(seed * 100 + number as u64);
            let deeds: Vec<(usize, &Deed)> = (0..2 + dice.roll(4))
                .map(|_| (dice.roll(30), &DEEDS[dice.roll(DEEDS.len())]))
                .collect();
            let told: Vec<(usize, &str)> = deeds.iter().map(|(before, deed)| (*before, deed.0)).collect();
            let case = format!("{} with seed {seed}: {told:?}", job.name);
            disturbed(&stage, &deeds, &expected, &case);
            runs += 1;
        }
    }
    println!("random interferences: {runs}");
}
