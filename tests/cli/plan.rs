//! `pinfold plan` where the world cannot be read: exit 2, and one line that says what, where and why.

use std::net::TcpListener;

use crate::command::Home;
use crate::repository::Origin;

/// A repository with one function, and a target at an address where nobody answers.
struct Unreachable {
    home: Home,
    address: String,
    _origin: Origin,
}

fn unreachable() -> Unreachable {
    let (home, origin) = (Home::new(), Origin::new());
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    home.file(
        "tree/prod/api.yaml",
        "apiVersion: pinfold/v1\nkind: Function\nname: api\nversion: \"1.0.0\"\nartifact: s3://artifacts/x.zip\n",
    );
    origin.commit(&home.path().join("tree"));
    home.file(
        "c.yaml",
        &format!(
            "repository: {{ url: {} }}\n\
             targets: [{{ name: prod, path: prod, region: us-east-1, endpointUrl: \"http://{address}\" }}]\n",
            origin.path()
        ),
    );
    Unreachable {
        home,
        address,
        _origin: origin,
    }
}

#[test]
fn an_endpoint_that_refuses_connections_is_told_in_one_line() {
    let world = unreachable();
    let outcome = world.home.run(&["plan", "--config", "c.yaml"]);
    assert_eq!(outcome.code, 2);
    insta::assert_snapshot!(outcome.stderr.replace(&world.address, "ADDRESS"), @r"error: target prod: ListFunctions at http://ADDRESS (us-east-1): tcp connect error: Connection refused (os error 111)");
    assert_eq!(
        world
            .home
            .run(&["plan", "--config", "c.yaml", "--detailed-exitcode"])
            .code,
        1
    );
    assert_eq!(world.home.run(&["apply", "--config", "c.yaml"]).code, 2);
}

#[test]
fn the_json_is_printed_all_the_same() {
    let world = unreachable();
    let outcome = world.home.run(&["plan", "--config", "c.yaml", "-o", "json"]);
    assert_eq!(outcome.code, 2);
    assert_eq!(outcome.stderr.lines().count(), 1);
    let json = outcome.json();
    assert_eq!(json["summary"]["unreadable"], 1);
    assert_eq!(json["functions"][0]["state"], "Unreadable");
    assert_eq!(json["functions"][0]["withheld"][0]["reason"], "Unreadable");
    assert_eq!(json["failedTargets"][0]["target"], "prod");
}

#[test]
fn a_repository_that_is_not_there_is_told_in_one_line() {
    let world = unreachable();
    world.home.file(
        "c.yaml",
        "repository: { url: ./nowhere.git }\ntargets: [{ name: prod, path: prod, region: us-east-1 }]\n",
    );
    let outcome = world.home.run(&["plan", "--config", "c.yaml"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(outcome.stderr, @r"error: the desired state cannot be read: list HOME/./nowhere.git: no such repository: No such file or directory (os error 2): check repository.url");
    let outcome = world.home.run(&["plan", "--config", "c.yaml", "--source", "nowhere"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(outcome.stderr, @r"error: the desired state cannot be read: read folder nowhere: No such file or directory (os error 2): give the folder that is the repository's root");
}

#[test]
fn a_target_whose_folder_is_missing_is_told_in_one_line() {
    let world = unreachable();
    let config = std::fs::read_to_string(world.home.path().join("c.yaml")).unwrap();
    world
        .home
        .file("c.yaml", &config.replace("path: prod", "path: production"));
    let outcome = world.home.run(&["plan", "--config", "c.yaml", "-o", "json"]);
    assert_eq!(outcome.code, 2);
    insta::assert_snapshot!(outcome.stderr, @r#"error: target prod: the commit has no folder "production": add it, or correct `path` of target prod in the configuration"#);
    assert_eq!(outcome.json()["failedTargets"][0]["target"], "prod");
}

#[test]
fn a_configuration_without_a_repository_asks_for_one() {
    let home = Home::new();
    home.file("c.yaml", "targets: [{ name: prod, path: prod, region: us-east-1 }]\n");
    let outcome = home.run(&["plan", "--config", "c.yaml"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (2, ""));
    insta::assert_snapshot!(outcome.stderr, @r"error: the configuration names no repository: add `repository`, or give a folder with --source");
}

#[test]
fn where_git_names_nothing_an_unreachable_target_still_counts() {
    let world = unreachable();
    world.home.file("empty/prod/README.md", "nothing yet\n");
    let outcome = world.home.run(&["plan", "--config", "c.yaml", "--source", "empty"]);
    assert_eq!(outcome.code, 2, "{outcome:#?}");
}
