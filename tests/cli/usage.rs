//! Arguments, the configuration file, and the commands that ask nobody.

use crate::command::Home;

const CONFIG: &str = "targets:\n  - { name: prod, path: prod, region: us-east-1 }\n  - { name: staging, path: staging, region: us-east-1 }\n";

#[test]
fn a_wrong_call_ends_with_64_and_prints_no_data() {
    let home = Home::new();
    home.file("c.yaml", CONFIG);
    for arguments in [
        &[][..],
        &["--wrong"],
        &["plna"],
        &["plan", "--wrong"],
        &["plan", "extra"],
        &["plan", "-o", "xml"],
        &["plan", "--color", "sometimes"],
        &["plan", "-q", "-v"],
        &["plan", "--target", "no such/name"],
        &["plan", "--function", "["],
        &["apply", "--acknowledge", "HEAD"],
        &["apply", "--detailed-exitcode"],
        &["validate"],
        &["schema", "other"],
        &["completions"],
        &["sandbox", "--listen", "nowhere"],
        &["run", "--config", "c.yaml", "--function", "api"],
        &["plan", "--config", "c.yaml", "--target", "prdo"],
        &["apply", "--config", "c.yaml", "--target", "prdo"],
        &["run", "--config", "c.yaml", "--target", "prdo"],
        &["validate", ".", "--config", "c.yaml", "--target", "prdo"],
        &["validate", ".", "--target", "prdo"],
    ] {
        let outcome = home.run(arguments);
        assert_eq!(outcome.code, 64, "{arguments:?}: {outcome:#?}");
        assert_eq!(outcome.stdout, "", "{arguments:?}");
        assert_ne!(outcome.stderr, "", "{arguments:?}");
    }
}

#[test]
fn a_target_that_the_configuration_lacks_is_told_with_those_that_it_has() {
    let home = Home::new();
    home.file("c.yaml", CONFIG);
    let outcome = home.run(&["plan", "--config", "c.yaml", "--target", "prdo"]);
    insta::assert_snapshot!(outcome.stderr, @r"error: the configuration has no target prdo: it has prod, staging");
}

#[test]
fn help_and_version_are_answers() {
    let home = Home::new();
    let help = home.run(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    for command in [
        "demo",
        "run",
        "plan",
        "apply",
        "validate",
        "status",
        "sandbox",
        "schema",
        "completions",
        "man",
    ] {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{command}");
        assert_eq!(home.run(&[command, "--help"]).code, 0, "{command}");
    }
    let version = home.run(&["--version"]);
    assert_eq!(version.stdout, format!("pinfold {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_configuration_that_cannot_be_read_ends_with_2_in_one_line() {
    let home = Home::new();
    for command in ["plan", "apply", "run"] {
        let outcome = home.run(&[command, "--config", "nowhere.yaml"]);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""), "{command}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(outcome.stderr, @r"error: cannot read the configuration nowhere.yaml: give the right file with --config or PINFOLD_CONFIG: No such file or directory (os error 2)");
        }
    }
    let outcome = home.run(&["plan"]);
    assert_eq!(outcome.code, 2);
    insta::assert_snapshot!(outcome.stderr, @r"error: no configuration: name the file with --config or PINFOLD_CONFIG, or try `pinfold demo`");
}

#[test]
fn every_fault_of_the_configuration_is_told_at_once() {
    let home = Home::new();
    home.file(
        "c.yaml",
        "targets:\n  - { name: prod, path: prod, regoin: us-east-1 }\nmode: watch\nlimits: { maxChangedFunctions: many }\n",
    );
    let outcome = home.run(&["plan", "--config", "c.yaml"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(outcome.stderr, @r"
    error: c.yaml:2:5: targets[0].region: missing: write an AWS Region such as us-east-1
    c.yaml:2:31: targets[0].regoin: unknown key: did you mean `region`?
    c.yaml:3:1: mode: a text stands here, expected `reconcile` or `observe`: write one of these words
    c.yaml:4:11: limits.maxChangedFunctions: write a number of functions such as 20, a percentage from 0% to 100%, or none
    ");
}

#[test]
fn the_configuration_may_be_named_by_the_environment() {
    let home = Home::new().with("PINFOLD_CONFIG", "c.yaml");
    home.file("c.yaml", CONFIG)
        .file("tree/prod/x.yaml", "")
        .file("tree/staging/x.yaml", "");
    assert_eq!(home.run(&["validate", "tree"]).code, 1);
    assert_eq!(home.run(&["validate", "tree", "--target", "prdo"]).code, 64);
}

#[test]
fn each_schema_is_json_and_so_are_all_together() {
    let home = Home::new();
    let all = home.run(&["schema"]).json();
    for format in ["function", "defaults", "config"] {
        let outcome = home.run(&["schema", format]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{format}");
        let schema = outcome.json();
        assert_eq!(
            schema["$schema"], "https://json-schema.org/draft/2020-12/schema",
            "{format}"
        );
        assert_eq!(schema["additionalProperties"], false, "{format}");
        assert_eq!(all[format], schema);
    }
}

#[test]
fn completions_know_the_commands() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let outcome = home.run(&["completions", shell]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{shell}");
        assert!(outcome.stdout.contains("validate"), "{shell}");
    }
}

#[test]
fn every_command_has_its_man_page() {
    let home = Home::new();
    let printed = home.run(&["man"]);
    assert_eq!((printed.code, printed.stderr.as_str()), (0, ""));
    let outcome = home.run(&["man", "share/man1"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""), "{outcome:#?}");
    let page = |name: &str| std::fs::read_to_string(home.path().join("share/man1").join(name)).unwrap();
    assert_eq!(page("pinfold.1"), printed.stdout);
    for (command, what) in [
        ("plan", r"\fB\-\-detailed\-exitcode\fR"),
        ("status", "PINFOLD_URL"),
        ("man", r"[\fIDIR\fR]"),
    ] {
        assert!(printed.stdout.contains(&format!(r"pinfold\-{command}(1)")), "{command}");
        let page = page(&format!("pinfold-{command}.1"));
        assert!(page.contains(what), "{page}");
        assert!(page.contains(".SH \"EXIT STATUS\"\n"), "{page}");
    }
}

#[test]
fn a_folder_for_man_pages_that_cannot_be_made_is_an_error() {
    let home = Home::new();
    home.file("taken", "");
    let outcome = home.run(&["man", "taken/man1"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(outcome.stderr, @"error: cannot make the folder taken/man1: Not a directory (os error 20)");
}

#[test]
fn a_daemon_that_does_not_answer_is_an_error() {
    let home = Home::new();
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let outcome = home.run(&["status", "--url", &format!("http://{address}")]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    let stderr = outcome.stderr.replace(&address.to_string(), "ADDRESS");
    insta::assert_snapshot!(stderr, @r"error: http://ADDRESS/api/v1/status: client error (Connect): tcp connect error: Connection refused (os error 111): is the daemon running, and is this its address?");
}

#[cfg(not(feature = "events"))]
#[test]
fn a_build_without_events_refuses_to_run_with_a_queue_and_does_all_else() {
    let home = Home::new();
    home.file(
        "pinfold.yaml",
        "repository: { url: /nowhere }\n\
         targets:\n  - name: prod\n    path: prod\n    region: us-east-1\n    endpointUrl: http://127.0.0.1:9\n    \
         events: { queueUrl: http://127.0.0.1:9/000000000000/pinfold }\n\
         http: { listen: \"127.0.0.1:0\" }\n",
    );
    let ended = home.run(&["run", "--config", "pinfold.yaml", "-q"]);
    assert_eq!(ended.code, 2);
    let told = "error: target prod has a queue of events, and this build cannot listen to one: use a build with the \
                feature `events`, or remove `events` from the target\n";
    assert_eq!(ended.stderr, told);
    home.file("tree/prod/api.yaml", "apiVersion: pinfold/v1\nkind: Function\nname: api\nversion: \"1.0.0\"\nartifact: s3://artifacts/{version}.zip\n");
    assert_eq!(home.run(&["validate", "tree", "--config", "pinfold.yaml"]).code, 0);
}
