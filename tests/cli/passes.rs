//! `plan` and `apply` end to end: against a sandbox in another process, with the desired state from Git or a folder.

use crate::command::{Home, Outcome, http};
use crate::fleet::{CONFIG, Fleet, sha};

fn plan(fleet: &Fleet, more: &[&str]) -> Outcome {
    let arguments = [&["plan", "--config", CONFIG][..], more].concat();
    fleet.home.run(&arguments)
}

fn apply(fleet: &Fleet, more: &[&str]) -> Outcome {
    let arguments = [&["apply", "--config", CONFIG][..], more].concat();
    fleet.home.run(&arguments)
}

#[test]
fn drift_is_planned_applied_and_gone() {
    let fleet = Fleet::new();
    let planned = plan(&fleet, &["-o", "json"]);
    assert_eq!((planned.code, planned.stderr.as_str()), (1, ""));
    assert_eq!(planned.json()["summary"]["drifted"], 2);
    assert_eq!(fleet.writes(), [""; 0], "a plan writes nothing");
    assert_eq!(plan(&fleet, &["--detailed-exitcode"]).code, 2);

    let applied = apply(&fleet, &["-o", "json"]);
    assert_eq!((applied.code, applied.stderr.as_str()), (0, ""));
    assert_eq!(applied.json()["summary"]["inSync"], 2);
    assert_eq!(fleet.served("api", "live"), sha("1.0.0"));
    let writes = fleet.writes();
    assert_eq!(writes.len(), 6, "{writes:?}");

    assert_eq!(apply(&fleet, &[]).code, 0);
    assert_eq!(fleet.writes(), writes, "a second one writes nothing");
    let planned = plan(&fleet, &["--detailed-exitcode"]);
    assert_eq!((planned.code, planned.stderr.as_str()), (0, ""));
}

#[test]
fn a_plan_is_pleasant_to_read() {
    let fleet = Fleet::new();
    assert_eq!(apply(&fleet, &[]).code, 0);
    let commit = fleet.commit("api", "1.1.0");
    let planned = plan(&fleet, &[]);
    assert_eq!((planned.code, planned.stderr.as_str()), (1, ""));
    let text = named(&planned.stdout, &commit);
    insta::assert_snapshot!(text, @r"
    commit COMMIT7  2 functions: 1 in sync, 1 drifted

     TARGET  FUNCTION  STATE    WHY
     prod    api       Drifted  $LATEST code, live code
     prod    worker    InSync

    prod/api  Drifted
      --- live
      +++ desired
      @@ -1,4 +1,4 @@
       $LATEST:
      -  code: 1.0.0 (sha:1.0.0)
      +  code: 1.1.0 (sha:1.1.0)
       alias live:
      -  code: 1.0.0 (sha:1.0.0), version 1
      +  code: 1.1.0 (sha:1.1.0)
       1. UpdateCode     $LATEST to 1.1.0 from s3://artifacts/1.1.0.zip
       2. AwaitUpdated   until the update is complete
       3. PublishVersion 1.1.0
       4. MoveAlias      live from 1 to the published version
    ");
    let applied = apply(&fleet, &[]);
    let text = named(&applied.stdout, &commit);
    insta::assert_snapshot!(text, @r"
    commit COMMIT7  2 functions: 2 in sync

     TARGET  FUNCTION  STATE   WHY
     prod    api       InSync
     prod    worker    InSync

    prod/api  InSync
       1. UpdateCode     $LATEST to 1.1.0 from s3://artifacts/1.1.0.zip  done
       2. AwaitUpdated   until the update is complete  done
       3. PublishVersion 1.1.0 as version 2  done
       4. MoveAlias      live from 1 to version 2  done
    ");
}

#[test]
fn progress_is_shown_on_a_terminal_and_to_people_alone() {
    let fleet = Fleet::new();
    let arguments = ["apply", "--config", CONFIG];
    // An update takes a second in this sandbox, so that there is something to show.
    let applied = fleet.home.run_on_a_terminal(&arguments);
    assert_eq!(applied.code, 0, "{applied:#?}");
    assert!(applied.stderr.contains("of 2 functions changed"), "{applied:#?}");
    let rest = applied.stderr.trim_end().rsplit('\r').next().unwrap();
    assert!(!rest.contains("functions"), "nothing of it is left: {rest:?}");
    for quiet in [&["-o", "json"][..], &["-q"]] {
        fleet.commit("api", if quiet.len() == 1 { "1.0.0" } else { "1.1.0" });
        let applied = fleet.home.run_on_a_terminal(&[&arguments, quiet].concat());
        assert_eq!((applied.code, applied.stderr.as_str()), (0, ""), "{quiet:?}");
    }
}

#[test]
fn a_plan_that_withholds_something_names_the_page_that_explains_it_once() {
    let fleet = Fleet::new();
    let page = "https://github.com/pinfold/pinfold/blob/main/docs/withheld.md";
    let planned = plan(&fleet, &[]);
    assert!(!planned.stdout.contains(page), "{planned:#?}");
    fleet.commit("api", "9.9.9");
    fleet.commit("worker", "9.9.9");
    let planned = plan(&fleet, &[]);
    let end = format!("\n\nWhat is withheld, and what releases it: {page}\n");
    assert!(planned.stdout.ends_with(&end), "{planned:#?}");
    assert_eq!(planned.stdout.matches(page).count(), 1, "{planned:#?}");
}

#[test]
fn whoever_waits_for_a_plan_sees_how_many_functions_are_read() {
    let fleet = Fleet::new();
    // Reading one function takes so long that there is something to show.
    let fault = r#"{"operation": "GetFunction", "resource": "worker", "effect": {"kind": "delay", "ms": 1000}}"#;
    for command in ["plan", "apply"] {
        assert_eq!(http("POST", &format!("{}/_sandbox/faults", fleet.url), fault).0, 200);
        let done = fleet.home.run_on_a_terminal(&[command, "--config", CONFIG]);
        assert!(done.stderr.contains("1 of 2 functions read"), "{done:#?}");
        let rest = done.stderr.trim_end().rsplit('\r').next().unwrap();
        assert!(!rest.contains("functions"), "nothing of it is left: {rest:?}");
        let elsewhere = fleet.home.run(&[command, "--config", CONFIG]);
        assert_eq!(elsewhere.stderr, "", "{command}");
    }
}

fn named(text: &str, commit: &str) -> String {
    let mut text = text.replace(&commit[..7], "COMMIT7");
    for version in ["1.0.0", "1.1.0"] {
        text = text.replace(&sha(version), &format!("sha:{version}"));
    }
    text
}

#[test]
fn a_pull_request_can_be_planned_from_a_folder() {
    let fleet = Fleet::new();
    assert_eq!(apply(&fleet, &[]).code, 0);
    fleet.home.file(
        "change/prod/api.yaml",
        "apiVersion: pinfold/v1\nkind: Function\nname: api\nversion: \"1.1.0\"\nartifact: s3://artifacts/1.1.0.zip\n",
    );
    let planned = plan(&fleet, &["--source", "change", "-o", "json"]);
    assert_eq!((planned.code, planned.stderr.as_str()), (1, ""));
    let json = planned.json();
    assert_eq!(json["revision"], serde_json::Value::Null);
    assert_eq!(json["functions"].as_array().unwrap().len(), 1);
    assert_eq!(json["functions"][0]["steps"][0]["version"], "1.1.0");
    assert_eq!(json["unmanaged"][0]["function"], "worker");
}

#[test]
fn flags_narrow_functions_and_exit_code_alike() {
    let fleet = Fleet::new();
    assert_eq!(apply(&fleet, &["--function", "api"]).code, 0);
    assert_eq!(plan(&fleet, &["--function", "a*", "--target", "prod"]).code, 0);
    let rest = plan(&fleet, &["--function", "work*", "-o", "json"]);
    assert_eq!(rest.code, 1);
    assert_eq!(rest.json()["functions"][0]["function"], "worker");
    assert_eq!(rest.json()["functions"].as_array().unwrap().len(), 1);
}

#[test]
fn a_commit_can_be_acknowledged_by_its_full_name() {
    let fleet = Fleet::new();
    let commit = fleet.commit("api", "1.1.0");
    assert_eq!(apply(&fleet, &["--acknowledge", &commit]).code, 0);
}

#[test]
fn faults_in_the_repository_end_with_1_and_the_sound_goes_its_way() {
    let fleet = Fleet::new();
    fleet
        .home
        .file("tree/prod/worker.yaml", "name: worker\nverison: \"1.0.0\"\n");
    fleet.commit("api", "1.1.0");
    let applied = apply(&fleet, &["-o", "json"]);
    assert_eq!((applied.code, applied.stderr.as_str()), (1, ""));
    assert_eq!(applied.json()["summary"]["inSync"], 1);
    assert_eq!(fleet.served("api", "live"), sha("1.1.0"));
}

#[test]
fn colour_is_used_where_it_is_wanted() {
    let fleet = Fleet::new();
    let coloured = |home: &Home, more: &[&str]| {
        let arguments = [&["plan", "--config", CONFIG][..], more].concat();
        home.run(&arguments).stdout.contains('\u{1b}')
    };
    assert!(!coloured(&fleet.home, &[]), "a pipe is no terminal");
    assert!(coloured(&fleet.home, &["--color", "always"]));
    assert!(!coloured(&fleet.home, &["--color", "never"]));
    let config = std::fs::read_to_string(fleet.home.path().join(CONFIG)).unwrap();
    let forced = Home::new().with("CLICOLOR_FORCE", "1");
    forced.file(CONFIG, &config);
    assert!(coloured(&forced, &[]));
    assert!(!coloured(&forced, &["--color", "never"]));
    let forbidden = Home::new().with("CLICOLOR_FORCE", "1").with("NO_COLOR", "1");
    forbidden.file(CONFIG, &config);
    assert!(!coloured(&forbidden, &[]), "NO_COLOR wins");
    assert!(
        !coloured(&fleet.home, &["--color", "always", "-o", "json"]),
        "JSON has none"
    );
}

#[test]
fn a_target_out_of_reach_does_not_stop_another() {
    let fleet = Fleet::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let config = std::fs::read_to_string(fleet.home.path().join(CONFIG)).unwrap();
    let two = config.replace(
        "targets: [",
        &format!("targets: [{{ name: dead, path: prod, region: us-east-1, endpointUrl: \"http://{nobody}\" }}, "),
    );
    fleet.home.file(CONFIG, &two);
    let applied = apply(&fleet, &["-o", "json"]);
    assert_eq!((applied.code, applied.stderr.lines().count()), (2, 1), "{applied:#?}");
    assert_eq!(applied.json()["summary"]["inSync"], 2);
    assert_eq!(applied.json()["summary"]["unreadable"], 2);
    assert_eq!(fleet.served("api", "live"), sha("1.0.0"));
    // Whoever looks at the sound target alone need not hear of the other.
    let narrowed = plan(&fleet, &["--target", "prod"]);
    assert_eq!((narrowed.code, narrowed.stderr.as_str()), (0, ""));
}
