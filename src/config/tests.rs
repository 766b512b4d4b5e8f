//! What the configuration accepts, and what it says of the rest.

use super::*;
use crate::domain::Transport;
use crate::notify::ForgeKind;

/// The least that a file must say.
const LEAST: &str = "targets:\n- {name: prod, path: prod, region: us-east-1}\n";

fn parse(text: &str) -> Config {
    match Config::parse(text, Path::new("/etc/pinfold"), "pinfold.yaml") {
        Ok(config) => config,
        Err(error) => panic!("{error}"),
    }
}

fn faults(text: &str) -> String {
    Config::parse(text, Path::new("/etc/pinfold"), "c.yaml")
        .unwrap_err()
        .to_string()
}

/// Faults of a file that is sound but for `extra` at its end.
fn faults_of(extra: &str) -> String {
    faults(&format!("{LEAST}{extra}"))
}

/// Faults of a target that is sound but for `extra`.
fn faults_of_target(extra: &str) -> String {
    faults(&format!(
        "targets:\n- {{name: prod, path: prod, region: us-east-1, {extra}}}\n"
    ))
}

#[test]
fn a_queue_of_events_is_named_by_its_url() {
    let with = |events: &str| format!("targets:\n- {{name: prod, path: prod, region: us-east-1, events: {events}}}\n");
    let url = "https://sqs.us-east-1.amazonaws.com/111111111111/pinfold";
    let config = parse(&with(&format!("{{queueUrl: \"{url}\"}}")));
    assert_eq!(config.targets[0].event_queue.as_ref().unwrap().as_str(), url);
    let told = faults_of_target("events: {queueUrl: pinfold}");
    assert!(
        told.contains("targets[0].events.queueUrl: not the URL of a queue: write it as SQS shows it"),
        "{told}"
    );
    let told = faults_of_target("events: {}");
    assert!(
        told.contains("targets[0].events.queueUrl: missing: write the URL of the queue"),
        "{told}"
    );
}

#[test]
fn the_least_file_has_the_documented_defaults() {
    let config = parse(LEAST);
    assert!(config.repository.is_none());
    assert_eq!(config.mode, Mode::Reconcile);
    assert_eq!(config.schedule.git.as_str(), "0/30 * * * * *");
    assert_eq!(config.schedule.sweep.as_str(), "0 0/2 * * * *");
    assert_eq!(
        config.limits,
        Limits {
            get_function_per_second: 40.0,
            control_plane_per_second: 5.0,
            max_changed_functions: ChangeLimit::Percent(50)
        }
    );
    assert_eq!(config.http.listen.to_string(), "0.0.0.0:8420");
    assert_eq!(
        config.log,
        Log {
            format: None,
            level: LogLevel::Info
        }
    );
    let target = &config.targets[0];
    assert!(target.target.allows(&"anything".parse().unwrap()));
    assert_eq!(target.role_arn, None);
}

#[test]
fn a_full_file_is_read_whole() {
    let config = parse(
        r#"
repository:
  url: https://github.com/acme/lambda-versions.git
  branch: release/1
  auth: { usernameFile: user, tokenFile: /run/token }
  caFile: ca.pem
  timeout: 90s
  cacheDir: cache
  forcePush: refuse
targets:
  - name: prod
    path: ./prod/
    region: eu-west-1
    account: "111111111111"
    roleArn: arn:aws:iam::111111111111:role/path/pinfold
    externalId: abc
    functions: ["checkout-*", billing]
    endpointUrl: http://127.0.0.1:4566/
    s3EndpointUrl: https://s3.example
  - name: all
    path: .
    region: us-east-1
mode: observe
schedule: { git: "*/10 * * * * *", sweep: "0 */5 * * * *" }
limits: { getFunctionPerSecond: 2.5, controlPlanePerSecond: 1, maxChangedFunctions: 20 }
http: { listen: "[::1]:80" }
log: { format: json, level: debug }
"#,
    );
    let repository = config.repository.unwrap();
    assert_eq!(repository.auth.username_file, Some("/etc/pinfold/user".into()));
    assert_eq!(repository.auth.token_file, Some("/run/token".into()));
    assert_eq!(repository.ca_file, Some("/etc/pinfold/ca.pem".into()));
    assert_eq!(repository.cache_dir, Some("/etc/pinfold/cache".into()));
    assert_eq!(repository.timeout, Duration::from_secs(90));
    assert_eq!(repository.force_push, ForcePush::Refuse);
    let [prod, all] = &config.targets[..] else {
        panic!("two targets")
    };
    assert_eq!((prod.target.path.as_str(), all.target.path.as_str()), ("prod", ""));
    assert!(prod.endpoint_url.as_ref().unwrap().is_local_or_ip());
    assert!(!prod.target.allows(&"shipping".parse().unwrap()));
    assert_eq!(config.limits.max_changed_functions, ChangeLimit::Count(20));
    assert_eq!(config.mode, Mode::Observe);
    assert_eq!(config.log.format, Some(LogFormat::Json));
}

#[test]
fn all_faults_are_reported_at_once_in_order_with_their_places() {
    insta::assert_snapshot!(faults(
        r#"repository:
  url: https://user:hunter2@github.com/acme/x.git
  branch: refs/heads/main
  timeuot: 5s
  timeout: 9e9h
targets:
  - name: prod
    path: /prod
    role_arn: x
    account: 111111111111
    functions: ["["]
  - name: prod
    path: ../x
    region: us-east-1
    endpointUrl: localhost:4566
mode: Observe
schedule: { git: "* * * * *" }
limits: { maxChangedFunctions: 120%, getFunctionPerSecond: 0 }
http: { listen: ":8420" }
colour: blue
"#
    ), @r#"
    c.yaml:2:3: repository.url: it holds a user or a password, which would show in logs: remove what stands before the @ and use `repository.auth.tokenFile`
    c.yaml:3:3: repository.branch: not the name of a branch: write it as `git branch` shows it, such as main or release/1.x, without refs/heads/
    c.yaml:4:3: repository.timeuot: unknown key: did you mean `timeout`?
    c.yaml:5:3: repository.timeout: not a duration: write a number with its unit, such as 60s or 2m
    c.yaml:7:5: targets[0].region: missing: write an AWS Region such as us-east-1
    c.yaml:8:5: targets[0].path: absolute: write it from the repository's root, without a slash before it
    c.yaml:9:5: targets[0].role_arn: unknown key: did you mean `roleArn`?
    c.yaml:10:5: targets[0].account: a number stands here, expected a text: put it in quotes
    c.yaml:11:17: targets[0].functions[0]: error parsing glob '[': unclosed character class; missing ']': use *, ?, [a-z] or {a,b} over function names, such as "checkout-*"
    c.yaml:12:5: targets[1].name: prod is the name of targets[0] already: give this one another
    c.yaml:13:5: targets[1].path: `..` leads out of the repository: write the folder from the repository's root
    c.yaml:15:5: targets[1].endpointUrl: not an endpoint: write http://HOST:PORT or https://HOST, a name in ASCII or an IP address, without user, query or fragment
    c.yaml:16:1: mode: a text stands here, expected `reconcile` or `observe`: write one of these words
    c.yaml:17:13: schedule.git: not a cron expression (Invalid pattern: Pattern must have 6 fields when seconds are required and years are disallowed): write six fields, seconds first, such as "0 0/2 * * * *" for every two minutes
    c.yaml:18:11: limits.maxChangedFunctions: write a number of functions such as 20, a percentage from 0% to 100%, or none
    c.yaml:18:38: limits.getFunctionPerSecond: out of range: write calls a second, from 0.1 to 10000
    c.yaml:19:9: http.listen: not an IP address and port: write 0.0.0.0:8420 for all interfaces, 127.0.0.1:8420 for this machine alone
    c.yaml:20:1: colour: unknown key: known here are http, limits, log, mode, notifications, repository, schedule, targets, webhooks, windows
    "#);
}

#[test]
fn a_secret_in_the_wrong_place_is_not_repeated() {
    for text in [
        "repository: https://user:hunter2@h/x\n",
        "repository: {url: 'https://hunter2@h/x'}\n",
        "repository: {url: 'https://h/x?token=hunter2'}\n",
        "repository: {url: https://h/x, auth: hunter2}\n",
        "repository: {url: https://h/x, auth: {tokenFile: [hunter2]}}\n",
        "targets: hunter2\n",
        "hunter2\n",
    ] {
        let faults = faults(text);
        assert!(!faults.contains("hunter2"), "{faults}");
    }
}

#[test]
fn a_webhook_without_its_secret_is_refused() {
    let found = faults_of("webhooks: {github: {}, gitlab: {}, generic: {secretFile: ''}}\n");
    for fault in [
        "webhooks.github: without a secret anybody could wake the daemon: add `secretFile`",
        "webhooks.gitlab: without a secret anybody could wake the daemon: add `secretFile` for the signing token",
        "webhooks.generic.secretFile: empty",
    ] {
        assert!(found.contains(fault), "{found}");
    }
}

#[test]
fn a_window_has_its_beginning_its_length_and_its_zone() {
    let config = parse(&format!(
        "{LEAST}windows:\n- {{deny: '0 16 * * FRI', duration: 62h, timezone: Europe/Vienna, targets: [prod]}}\n\
         - {{allow: '0 0 9 * * MON-FRI', duration: 8h, timezone: UTC, functions: ['checkout-*']}}\n"
    ));
    let closed = |function: &str, time: &str| {
        let key = crate::domain::FunctionKey {
            target: "prod".parse().unwrap(),
            name: function.parse().unwrap(),
        };
        config.windows.closed(&key, time.parse().unwrap()).is_some()
    };
    assert!(closed("orders", "2026-11-27T16:00:00Z"));
    assert!(!closed("orders", "2026-11-26T03:00:00Z"));
    assert!(closed("checkout-api", "2026-11-26T03:00:00Z"));
    assert!(!closed("checkout-api", "2026-11-26T10:00:00Z"));
}

#[test]
fn a_fault_is_told_on_one_line_whatever_the_key() {
    let found = faults_of("\"a\\tb\\u202e\": 1\n");
    assert!(found.contains("unknown key"), "{found}");
    let strange = found
        .trim_end()
        .chars()
        .find(|c| crate::domain::is_obeyed(*c) && *c != '\n');
    assert_eq!(strange, None, "{found}");
}

#[test]
fn a_window_that_cannot_be_meant_is_refused() {
    let found = faults_of(
        "windows:\n- {duration: 1h, timezone: UTC}\n- {allow: often, deny: '* * * * *', duration: 1s, timezone: CEST}\n\
         - {deny: '0 0 30 2 *', duration: 32days, timezone: UTC, targets: [prdo], functions: []}\n- {deny: '61 * * * *'}\n\
         - {deny: '0 0 0 1 1 * 2020', duration: 1h, timezone: UTC}\n",
    );
    insta::assert_snapshot!(found, @r#"
    c.yaml:4:3: windows[0]: neither `allow` nor `deny`: write one with the cron expression of its beginning
    c.yaml:5:3: windows[1]: both `allow` and `deny`: write two windows
    c.yaml:5:37: windows[1].duration: shorter than a minute: write 1m to 31days
    c.yaml:5:51: windows[1].timezone: no such time zone: write a name of the IANA database, such as Europe/Vienna or UTC
    c.yaml:6:4: windows[2].deny: this time never comes: change the day or the month
    c.yaml:6:24: windows[2].duration: longer than 31 days: write 1m to 31days, or `mode: observe`
    c.yaml:6:67: windows[2].targets[0]: no target has this name: did you mean prod?
    c.yaml:6:74: windows[2].functions: an empty list matches nothing: remove the key for all, or name some
    c.yaml:7:3: windows[3].duration: missing: write a number with its unit, such as 90m or 62h
    c.yaml:7:3: windows[3].timezone: missing: write a name of the IANA database, such as Europe/Vienna or UTC
    c.yaml:7:4: windows[3].deny: not a cron expression (Component error: Number out of bounds): write five fields, such as "0 16 * * FRI", or six with seconds first
    c.yaml:8:4: windows[4].deny: not a cron expression (Invalid pattern: Pattern must have 5 or 6 fields when years are disallowed): write five fields, such as "0 16 * * FRI", or six with seconds first
    "#);
}

#[test]
fn yaml_that_cannot_be_read_has_its_place() {
    assert!(
        faults("targets: [\n").starts_with("c.yaml:2:1: "),
        "{}",
        faults("targets: [\n")
    );
    assert!(
        faults("a: 1\na: 2\n").contains("duplicate entry"),
        "{}",
        faults("a: 1\na: 2\n")
    );
    assert!(faults("a: 1\n---\nb: 1\n").contains("more than one document"));
    for nothing in ["", "# nothing\n", "\u{feff}"] {
        assert!(faults(nothing).contains("empty"), "{nothing:?}");
    }
    assert!(faults("- a\n").contains("a list stands here, expected a mapping"));
    assert!(faults("a: 1\n2: 1\n").contains("a key that is not a text"));
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    assert!(faults(bomb).contains("repetition limit"), "{}", faults(bomb));
    assert!(faults(&" ".repeat(MAX_FILE_BYTES + 1)).contains("larger than 1 MiB"));
}

#[test]
fn a_missing_field_is_named_with_its_remedy() {
    assert!(faults("mode: observe\n").contains("`targets` is missing"));
    assert!(faults("targets: []\n").contains("targets: empty"));
    let faults = faults("targets:\n- {}\n");
    for field in ["name", "path", "region"] {
        assert!(faults.contains(&format!("targets[0].{field}: missing")), "{faults}");
    }
    assert!(faults_of("repository: {}\n").contains("repository.url: missing"));
}

#[test]
fn a_proxy_is_for_https_and_its_credentials_for_a_proxy() {
    let of = |keys: &str| faults_of(&format!("repository: {{{keys}}}\n"));
    assert!(of("url: /srv/x, proxy: 'http://p:1'").contains("repository.proxy: only for https"));
    assert!(of("url: https://h/x, proxy: 'http://u:hunter2@p:1'").contains("do not belong here"));
    assert!(!of("url: https://h/x, proxy: 'http://u:hunter2@p:1'").contains("hunter2"));
    assert!(of("url: https://h/x, proxy: 'p:1'").contains("repository.proxy: not a proxy: write http://HOST:PORT"));
    for keys in ["proxyCredentialsFile: c", "proxy: none, proxyCredentialsFile: c"] {
        let faults = of(&format!("url: https://h/x, {keys}"));
        assert!(
            faults.contains("repository.proxyCredentialsFile: no `proxy` is named"),
            "{faults}"
        );
    }
    let sound = parse(&format!(
        "{LEAST}repository: {{url: https://h/x, proxy: 'http://p:1', proxyCredentialsFile: c}}\n"
    ));
    let repository = sound.repository.unwrap();
    assert_eq!(repository.proxy, ProxyChoice::Url("http://p:1".parse().unwrap()));
    assert_eq!(repository.proxy_credentials_file, Some("/etc/pinfold/c".into()));
}

#[test]
fn a_github_app_has_its_ids_and_its_key() {
    let app = "githubApp: {appId: 123456, installationId: '42', privateKeyFile: key.pem}";
    let of = |url: &str, auth: &str| format!("{LEAST}repository: {{url: '{url}', auth: {{{auth}}}}}\n");
    let found = parse(&of("https://github.com/a/b.git", app))
        .repository
        .unwrap()
        .auth
        .github_app
        .unwrap();
    assert_eq!(found.app_id, "123456".parse().unwrap());
    assert_eq!(found.installation_id.get(), 42);
    assert_eq!(found.private_key_file, Path::new("/etc/pinfold/key.pem"));
    assert_eq!(found.api_url.as_str(), "https://api.github.com");

    let enterprise = app.replace("key.pem", "key.pem, apiUrl: 'https://api.example/v3/'");
    let found = parse(&of("https://h/a/b.git", &enterprise))
        .repository
        .unwrap()
        .auth
        .github_app
        .unwrap();
    assert_eq!(found.api_url.as_str(), "https://api.example/v3");

    let faults = faults(&of("https://h/x", "githubApp: {appId: [1], installationId: main}"));
    for words in [
        "githubApp.appId: write the App ID or the Client ID",
        "githubApp.installationId: write the number",
        "githubApp.privateKeyFile: missing",
    ] {
        assert!(faults.contains(words), "{words}: {faults}");
    }
    let plain = app.replace("key.pem", "key.pem, apiUrl: 'http://api.example'");
    assert!(super::tests::faults(&of("https://h/x", &plain)).contains("githubApp.apiUrl: not encrypted"));
    let both = format!("tokenFile: t, {app}");
    assert!(super::tests::faults(&of("https://h/x", &both)).contains("keep one of the two"));
    assert!(super::tests::faults(&of("/srv/x", app)).contains("githubApp: only for https"));
    let zero = app.replace("'42'", "0");
    assert!(super::tests::faults(&of("https://h/x", &zero)).contains("installationId: write the number"));
}

#[test]
fn credentials_belong_to_the_transport() {
    let of = |repository: &str| faults_of(&format!("repository: {repository}\n"));
    assert!(of("{url: 'git@h:x'}").contains("ssh needs `repository.auth.sshKeyFile`"));
    assert!(of("{url: 'git@h:x', auth: {sshKeyFile: k}}").contains("ssh needs `repository.auth.knownHostsFile`"));
    assert!(of("{url: https://h/x, auth: {sshKeyFile: k}}").contains("only for ssh"));
    assert!(of("{url: https://h/x, auth: {usernameFile: k}}").contains("add `tokenFile`"));
    assert!(of("{url: /srv/x, auth: {tokenFile: k}}").contains("takes no credentials"));
    let sound = parse(&format!(
        "{LEAST}repository: {{url: 'git@h:x', auth: {{sshKeyFile: k, knownHostsFile: h}}}}\n"
    ));
    assert!(matches!(
        sound.repository.unwrap().url.transport(),
        Transport::Ssh { port: 22, .. }
    ));
}

#[test]
fn a_relative_repository_is_relative_to_the_file() {
    let config = parse(&format!("{LEAST}repository: {{url: ../repo}}\n"));
    assert_eq!(config.repository.unwrap().url.as_str(), "/etc/pinfold/../repo");
}

#[test]
fn a_timeout_has_a_unit_and_bounds() {
    for bad in ["-1s", "1ns", "9e9h", "60", "'60'", "11m", "soon", "''", "[1s]"] {
        let faults = faults_of(&format!("repository: {{url: https://h/x, timeout: {bad}}}\n"));
        assert!(faults.contains("repository.timeout: "), "{bad}: {faults}");
        assert!(
            faults.contains("60s") || faults.contains("1s to 10m"),
            "{bad}: {faults}"
        );
    }
    for good in ["1s", "10m", "1m 30s"] {
        parse(&format!("{LEAST}repository: {{url: https://h/x, timeout: {good}}}\n"));
    }
}

#[test]
fn a_folder_stays_inside_the_repository() {
    for bad in [
        "/prod", "..", "a/../b", "a\\\\b", "", "a//b", "a/./b", ".git", "a/_b", "/", "a\\tb",
    ] {
        let faults = faults(&format!(
            "targets:\n- {{name: p, path: \"{bad}\", region: us-east-1}}\n"
        ));
        assert!(faults.contains("targets[0].path: "), "{bad}: {faults}");
    }
    for (good, folder) in [(".", ""), ("./", ""), ("a/b/", "a/b"), ("./a", "a"), ("a b", "a b")] {
        let config = parse(&format!(
            "targets:\n- {{name: p, path: \"{good}\", region: us-east-1}}\n"
        ));
        assert_eq!(config.targets[0].target.path, folder);
    }
}

#[test]
fn a_role_is_one_of_the_targets_account() {
    for bad in [
        "x",
        "arn:aws:iam::1:role/x",
        "arn:aws:iam::111111111111:user/x",
        "arn:aws:iam::111111111111:role/",
    ] {
        assert!(
            faults_of_target(&format!("roleArn: '{bad}'")).contains("not the ARN of a role"),
            "{bad}"
        );
    }
    let other = faults_of_target("account: '222222222222', roleArn: 'arn:aws:iam::111111111111:role/x'");
    assert!(other.contains("correct one of them"), "{other}");
    assert!(faults_of_target("externalId: abc").contains("without a role"));
    assert!(faults_of_target("roleArn: 'arn:aws:iam::111111111111:role/x', externalId: 'a b'").contains("2 to 1224"));
    parse("targets:\n- {name: p, path: p, region: cn-north-1, roleArn: 'arn:aws-cn:iam::111111111111:role/x'}\n");
}

#[test]
fn a_change_limit_is_a_number_a_percentage_or_none() {
    let limit = |text: &str| {
        let config = parse(&format!("{LEAST}limits: {{maxChangedFunctions: {text}}}\n"));
        config.limits.max_changed_functions
    };
    assert_eq!(limit("0"), ChangeLimit::Count(0));
    assert_eq!(limit("'30'"), ChangeLimit::Count(30));
    assert_eq!(limit("100%"), ChangeLimit::Percent(100));
    assert_eq!(limit("none"), ChangeLimit::Unlimited);
    for bad in ["101%", "-1", "1.5", "'%'", "all", "true", "[1]", "''", "300%"] {
        let faults = faults_of(&format!("limits: {{maxChangedFunctions: {bad}}}\n"));
        assert!(
            faults.contains("limits.maxChangedFunctions: write a number"),
            "{bad}: {faults}"
        );
    }
}

#[test]
fn a_rate_is_positive_and_finite() {
    for bad in ["0", "-1", ".nan", ".inf", "1e9", "fast"] {
        let faults = faults_of(&format!("limits: {{controlPlanePerSecond: {bad}}}\n"));
        assert!(faults.contains("limits.controlPlanePerSecond: "), "{bad}: {faults}");
    }
}

#[test]
fn a_file_is_read_and_its_folder_is_the_base() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pinfold.yaml");
    std::fs::write(
        &file,
        format!("{LEAST}repository: {{url: https://h/x, caFile: ca.pem}}\n"),
    )
    .unwrap();
    let config = Config::load(&file).unwrap();
    assert_eq!(config.repository.unwrap().ca_file, Some(dir.path().join("ca.pem")));

    std::fs::write(&file, b"a: 1\nb: \xff\n").unwrap();
    let error = Config::load(&file).unwrap_err().to_string();
    assert!(error.contains("pinfold.yaml:2: not UTF-8"), "{error}");

    std::fs::write(&file, "é".repeat(MAX_FILE_BYTES)).unwrap();
    let error = Config::load(&file).unwrap_err().to_string();
    assert!(error.contains("larger than 1 MiB"), "{error}");

    let missing = Config::load(&dir.path().join("nowhere.yaml")).unwrap_err();
    assert!(matches!(missing, ConfigError::Read { .. }));
    assert!(missing.to_string().contains("--config"));
}

#[test]
fn the_schema_describes_every_field() {
    let schema = config_schema();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], serde_json::json!(["targets"]));
    let text = schema.to_string();
    for field in [
        "knownHostsFile",
        "forcePush",
        "s3EndpointUrl",
        "maxChangedFunctions",
        "getFunctionPerSecond",
    ] {
        assert!(text.contains(field), "{field}");
    }
    // The schema decides which keys are known, so it must see through every optional section.
    let mut walk = vec![(String::new(), &schema)];
    let mut seen = 0;
    while let Some((path, node)) = walk.pop() {
        let Some(properties) = node.get("properties").and_then(|p| p.as_object()) else {
            for alternative in node.get("anyOf").and_then(|a| a.as_array()).into_iter().flatten() {
                walk.push((path.clone(), alternative));
            }
            continue;
        };
        for (key, field) in properties {
            seen += 1;
            assert!(field.get("description").is_some(), "{path}.{key} has no description");
            walk.push((format!("{path}.{key}"), field));
            walk.extend(field.get("items").map(|items| (format!("{path}.{key}[]"), items)));
        }
    }
    assert_eq!(seen, 78, "fields in the schema");
}

/// Faults of a receiver that has these keys.
fn faults_of_receiver(keys: &str) -> String {
    faults_of(&format!("notifications:\n  receivers:\n  - {{{keys}}}\n"))
}

#[test]
fn receivers_have_their_own_files_and_filters() {
    let config = parse(&format!(
        "{LEAST}notifications:\n  pageUrl: https://p\n  receivers:\n  \
         - {{name: a, kind: slack, urlFile: url, targets: [prod], functions: [\"x-*\"], events: [failed], minSeverity: error}}\n  \
         - {{name: b, kind: gitlab, repository: a/b/c, tokenFile: /t, apiUrl: \"http://127.0.0.1:1/api/v4\"}}\n"
    ));
    let [slack, gitlab] = config.notifications.receivers.as_slice() else {
        panic!("two receivers")
    };
    let ReceiverKind::Slack { url_file } = &slack.kind else {
        panic!("{slack:?}")
    };
    assert_eq!(url_file, Path::new("/etc/pinfold/url"));
    let Subscription::Events(rule) = &slack.subscription else {
        panic!("{slack:?}")
    };
    assert_eq!((rule.events.len(), rule.targets.len(), rule.functions.len()), (1, 1, 1));
    let ReceiverKind::Forge(forge) = &gitlab.kind else {
        panic!("{gitlab:?}")
    };
    assert_eq!((forge.kind, forge.repository.as_str()), (ForgeKind::GitLab, "a/b/c"));
    assert!(matches!(&gitlab.subscription, Subscription::Statuses(targets) if targets.is_empty()));
}

#[test]
fn a_receiver_says_what_its_kind_needs_and_what_it_does_not_take() {
    insta::assert_snapshot!(faults_of_receiver("name: a, kind: slack, tokenFile: t"), @r"
    c.yaml:5:5: notifications.receivers[0].urlFile: missing: a receiver of kind slack needs it
    c.yaml:5:28: notifications.receivers[0].tokenFile: does not belong to a receiver of kind slack: remove it
    ");
    insta::assert_snapshot!(faults_of_receiver("name: a, kind: github, tokenFile: t, repository: \"https://github.com/a/b\", apiUrl: \"http://h\", events: [failed]"), @r#"
    c.yaml:5:43: notifications.receivers[0].repository: not a repository: write OWNER/NAME, without the host and without .git
    c.yaml:5:81: notifications.receivers[0].apiUrl: not encrypted, so that everybody on the way could read the token: write https://
    c.yaml:5:101: notifications.receivers[0].events: does not belong to a receiver of kind github: remove it
    "#);
    insta::assert_snapshot!(faults_of_receiver("name: a, kind: teams, urlFile: u, targets: [staging], events: [failled]"), @r"
    c.yaml:5:50: notifications.receivers[0].targets[0]: there is no target staging: name one of `targets`
    c.yaml:5:69: notifications.receivers[0].events[0]: a text stands here, expected one of `failed`, `withheld`, `driftFound`, `driftCorrected`, `deployed`, `recovered`: write one of these words
    ");
    let webhook = "name: a, kind: webhook, urlFile: u, secretFile: s";
    let twice = faults_of(&format!(
        "notifications:\n  receivers:\n  - {{{webhook}}}\n  - {{{webhook}}}\n"
    ));
    assert!(twice.contains("the name of receivers[0] already"), "{twice}");
    assert!(faults_of("notifications: {}\n").contains("list the receivers"));
}

#[test]
fn verification_names_somebody() {
    let of = |verify: &str| format!("{LEAST}repository: {{url: https://h/x, verify: {verify}}}\n");
    let verify = parse(&of("{allowedSignersFile: signers}")).repository.unwrap().verify;
    let file = verify.unwrap().allowed_signers_file.unwrap();
    assert_eq!(file, Path::new("/etc/pinfold/signers"));
    for (nobody, fault) in [
        ("{}", "c.yaml:3:32: repository.verify: names nobody"),
        (
            "{allowedSignersFile: ''}",
            "repository.verify.allowedSignersFile: empty",
        ),
        ("{sshKeys: x}", "sshKeys"),
        ("[x]", "repository.verify"),
    ] {
        let faults = faults(&of(nobody));
        assert!(faults.contains(fault), "{nobody}: {faults}");
    }
}
