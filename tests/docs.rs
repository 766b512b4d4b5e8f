//! Holds the pages to the code: links, reasons, metrics, commands, keys, and the examples. Reads files and runs the
//! binary's help; changes nothing and reaches nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pinfold::config::{Config, config_schema};
use pinfold::domain::{BlobId, DesiredState, EntryKind, SourceEntry, SourceTree, Target};
use pinfold::manifest::{self, Cache, defaults_schema, function_schema};
use pinfold::plan::Reason;
use serde_json::Value;

#[test]
fn every_relative_link_leads_somewhere() {
    let mut dead = Vec::new();
    for page in pages() {
        for link in links(&read(&page)) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.parent().expect("a page is in a folder").join(path),
            };
            let found = target.exists() && (anchor.is_empty() || anchors(&read(&target)).contains(anchor));
            if !found {
                dead.push(format!("{}: {link}", shown(&page)));
            }
        }
    }
    assert_eq!(dead, Vec::<String>::new());
}

#[test]
fn every_file_that_a_page_names_is_there() {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'/' | b'.');
    let mut missing = Vec::new();
    for page in pages() {
        for word in code_spans(&prose(&read(&page))) {
            let is_file =
                word.contains('/') && Path::new(&word).extension() == Some("rs".as_ref()) && word.bytes().all(plain);
            let found = [root().join(&word), root().join("src").join(&word)]
                .iter()
                .any(|path| path.exists());
            if is_file && !found {
                missing.push(format!("{}: {word}", shown(&page)));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_test_that_holds_an_invariant_is_there() {
    let page = read(&root().join("docs/ARCHITECTURE.md"));
    let sources: String = rust_files(&root().join("src"))
        .into_iter()
        .chain(rust_files(&root().join("tests")))
        .map(|file| read(&file))
        .collect();
    let rows: Vec<&str> = section(&page, "## Invariants")
        .lines()
        .filter(|line| line.starts_with("| **"))
        .collect();
    assert!(rows.len() > 10, "the table of invariants is found");
    let mut missing = Vec::new();
    for row in rows {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let tests = code_spans(last).into_iter().filter(|word| !word.contains('/'));
        missing.extend(tests.filter(|test| !sources.contains(&format!("fn {test}("))));
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_test_that_holds_a_promise_is_there() {
    let page = read(&root().join("docs/reliability.md"));
    let sources: String = rust_files(&root().join("tests"))
        .into_iter()
        .chain(rust_files(&root().join("src")))
        .map(|file| read(&file))
        .collect();
    // A test's name is a sentence; a shorter word may be anything.
    let is_test = |word: &String| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        word.bytes().all(plain) && word.matches('_').count() > 3
    };
    let named: Vec<String> = code_spans(&prose(&page)).into_iter().filter(is_test).collect();
    assert!(named.len() > 20, "the tests are found: {named:?}");
    let missing = named.iter().filter(|test| !sources.contains(&format!("fn {test}(")));
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn every_bad_day_has_its_row_and_every_test_of_one_is_named_there() {
    let page = read(&root().join("docs/reliability.md"));
    let table = section(&page, "## Every bad day has its test");
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| ") && line.as_bytes()[3].is_ascii_digit())
        .collect();
    let told: BTreeSet<String> = rows
        .iter()
        .flat_map(|row| row.split('|').nth(1).unwrap_or_default().split(','))
        .map(|row| row.trim().to_owned())
        .collect();
    let all = [('G', 12), ('M', 8), ('A', 10), ('W', 4), ('D', 7)];
    let expected = all
        .iter()
        .flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}{number}")));
    assert_eq!(told, expected.collect());
    // A row is open, or names what holds it.
    let empty = rows.iter().filter(|row| {
        let last = row.trim_end_matches('|').rsplit('|').next().unwrap_or_default().trim();
        last != "open" && code_spans(last).is_empty()
    });
    assert_eq!(empty.collect::<Vec<_>>(), Vec::<&&str>::new());
    let mut unnamed = Vec::new();
    for file in rust_files(&root().join("src"))
        .into_iter()
        .chain(rust_files(&root().join("tests")))
    {
        for name in read(&file)
            .split("fn ")
            .skip(1)
            .filter_map(|rest| rest.split('(').next())
        {
            let bytes = name.as_bytes();
            let of_a_row = bytes.len() > 4 && b"gmawd".contains(&bytes[0]) && bytes[3] == b'_';
            let number: Option<u32> = name.get(1..3).and_then(|digits| digits.parse().ok());
            let Some(number) = number.filter(|_| of_a_row) else {
                continue;
            };
            let row = format!("| {}{number} |", char::from(bytes[0].to_ascii_uppercase()));
            let named = rows
                .iter()
                .any(|line| line.starts_with(&row) && line.contains(&format!("`{name}`")));
            if !named {
                unnamed.push(name.to_owned());
            }
        }
    }
    assert_eq!(unnamed, Vec::<String>::new());
}

#[test]
fn every_room_is_on_the_map_with_what_it_may_import() {
    let page = read(&root().join("docs/ARCHITECTURE.md"));
    let mapped: BTreeSet<String> = section(&page, "### Who may import whom")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned))
        .collect();
    let rooms: BTreeSet<String> = fs::read_dir(root().join("src"))
        .expect("src can be read")
        .filter_map(|entry| {
            let name = entry.expect("an entry of src").file_name().into_string().ok()?;
            let room = name.strip_suffix(".rs")?;
            (!matches!(room, "lib" | "main")).then(|| room.to_owned())
        })
        .collect();
    assert_eq!(mapped, rooms);
}

#[test]
fn every_reason_has_its_heading_and_its_row() {
    let code = read(&root().join("src/plan/withheld.rs"));
    let words = section(&code, "pub fn as_str(self)");
    let words = words.split("\n    }\n").next().unwrap_or_default();
    let reasons: BTreeSet<String> = words
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Self::")?.split('"').nth(1))
        .map(str::to_owned)
        .collect();
    assert!(reasons.contains("ArtifactMismatch"), "the reasons are found");
    let all: BTreeSet<String> = Reason::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(all, reasons);
    let page = read(&root().join("docs/withheld.md"));
    let headings: BTreeSet<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(str::to_owned)
        .collect();
    assert_eq!(headings, reasons);
    for reason in Reason::ALL {
        let anchor = format!("/docs/withheld.md#{}", reason.as_str().to_lowercase());
        assert!(reason.help().ends_with(&anchor), "{reason} links to its heading");
    }
    let untold: Vec<_> = reasons
        .iter()
        .filter(|reason| !page.contains(&format!("| [{reason}](#{}) |", reason.to_lowercase())))
        .collect();
    assert_eq!(untold, Vec::<&String>::new());
}

#[test]
fn every_reason_is_released_as_its_page_says() {
    let code = read(&root().join("src/plan/withheld.rs"));
    let page = read(&root().join("docs/withheld.md"));
    let mut wrong = Vec::new();
    let mut seen = 0;
    let arms = section(&code, "pub fn release(self)");
    let arms = arms.split("\n    }\n").next().unwrap_or_default();
    for arm in arms.split("Self::").skip(1) {
        let reason = arm.split(' ').next().unwrap_or_default();
        let text = arm.split('"').nth(1).expect("a reason has its release");
        seen += 1;
        let told = section(&page, &format!("\n## {reason}\n"));
        if !told.contains(&format!("**Release.** {text}")) {
            wrong.push(format!("{reason}: {text}"));
        }
    }
    assert!(seen > 10, "the reasons are found");
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_metric_is_described_and_every_description_has_its_metric() {
    let registered: BTreeSet<String> = rust_files(&root().join("src/telemetry"))
        .iter()
        .flat_map(|file| metric_names(&read(file), '"'))
        .collect();
    assert!(registered.len() > 10, "the metrics are found");
    let described = metric_names(&read(&root().join("docs/metrics.md")), '`');
    assert_eq!(described, registered);
}

#[test]
fn every_alert_has_its_runbook_and_every_runbook_its_alert() {
    let alerts: BTreeSet<String> = read(&root().join("charts/pinfold/files/alerts.yaml"))
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: ").map(str::to_owned))
        .collect();
    assert!(alerts.len() > 10, "the alerts are found");
    let runbooks: BTreeSet<String> = read(&root().join("docs/runbooks.md"))
        .lines()
        .filter_map(|line| line.strip_prefix("## ").map(str::to_owned))
        .collect();
    assert_eq!(runbooks, alerts);
}

#[test]
fn alerts_and_dashboard_look_at_metrics_that_exist() {
    let described = metric_names(&read(&root().join("docs/metrics.md")), '`');
    for file in ["alerts.yaml", "dashboard.json"] {
        let text = read(&root().join("charts/pinfold/files").join(file));
        let used = text
            .split(|c: char| !c.is_ascii_lowercase() && c != '_')
            .filter(|word| word.starts_with("pinfold_"))
            .map(|word| word.strip_suffix("_bucket").unwrap_or(word));
        let unknown: BTreeSet<&str> = used.filter(|word| !described.contains(*word)).collect();
        assert_eq!(unknown, BTreeSet::new(), "{file}");
    }
}

#[test]
fn every_command_and_flag_is_described() {
    let page = read(&root().join("docs/commands.md"));
    let commands: Vec<String> = help(&[])
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect();
    assert!(
        commands.iter().any(|command| command == "plan"),
        "the commands are found"
    );
    let mut missing = flags(&help(&[]), &page);
    for command in &commands {
        let heading = format!("\n## {command}\n");
        if !page.contains(&heading) {
            missing.push(command.clone());
        }
        let own = section(&page, &heading);
        let general = section(&page, "## Flags of every command");
        missing.extend(
            flags(&help(&[command]), &format!("{own}{general}"))
                .iter()
                .map(|flag| format!("{command} {flag}")),
        );
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn the_man_page_and_the_reference_tell_the_same_exit_codes() {
    let page = read(&root().join("docs/commands.md"));
    let man = read(&root().join("src/cli/man.rs"));
    let codes = section(&page, "## Exit codes");
    let told: Vec<&str> = man
        .lines()
        .filter_map(|line| line.trim().strip_prefix("(\"")?.strip_suffix("\"),"))
        .collect();
    assert!(told.len() > 3, "the exit codes are found");
    for line in told {
        let (code, meaning) = line.split_once("\", \"").expect("a code and its meaning");
        assert!(codes.contains(&format!("| {code} | {meaning}")), "{code}: {meaning}");
    }
}

#[test]
fn every_key_is_described() {
    for (page, schemas) in [
        ("docs/configuration.md", vec![config_schema()]),
        ("docs/manifests.md", vec![function_schema(), defaults_schema()]),
    ] {
        let text = read(&root().join(page));
        let mut keys = BTreeSet::new();
        for schema in &schemas {
            properties(schema, &mut keys);
        }
        assert!(keys.len() > 5, "the keys are found");
        let told = |key: &String| {
            text.contains(&format!("`{key}`"))
                || text.contains(&format!(".{key}`"))
                || text.contains(&format!("\n## {key}\n"))
        };
        let untold: Vec<_> = keys.iter().filter(|key| !told(key)).collect();
        assert_eq!(untold, Vec::<&String>::new(), "{page}");
    }
}

#[test]
fn an_image_is_built_with_features_that_there_are() {
    let manifest = read(&root().join("Cargo.toml"));
    let features: BTreeSet<&str> = section(&manifest, "[features]")
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = [").map(|(name, _)| name))
        .collect();
    let image = read(&root().join("Dockerfile"));
    let with_features = "cargo build --locked --profile dist --features \"${FEATURES}\"";
    assert_eq!(
        image.matches("cargo build").count(),
        image.matches(with_features).count()
    );
    let pages = pages().into_iter().chain([root().join("Dockerfile")]);
    let mut named = BTreeSet::new();
    for page in pages {
        for said in read(&page).split("--build-arg FEATURES=").skip(1) {
            let list: String = said
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == ',')
                .collect();
            named.extend(list.split(',').map(str::to_owned));
        }
    }
    for name in &named {
        assert!(features.contains(name.as_str()), "there is no feature {name:?}");
    }
    for name in features
        .iter()
        .filter(|name| !["default", "openpgp", "vendored-openssl"].contains(name))
    {
        assert!(
            named.contains(*name),
            "no page says how an image gets the feature {name}"
        );
    }
}

#[test]
fn the_example_configurations_are_sound() {
    let examples = fenced(&read(&root().join("docs/configuration.md")), "yaml");
    assert!(examples.len() >= 2, "the examples are found");
    for example in examples {
        if let Err(error) = Config::parse(&example, Path::new("/etc/pinfold"), "docs/configuration.md") {
            panic!("{error}\n{example}");
        }
    }
}

#[test]
fn the_example_manifests_are_sound() {
    let examples = fenced(&read(&root().join("docs/manifests.md")), "yaml");
    let state = load(&examples);
    assert_eq!(state.faults, vec![]);
    let functions: Vec<String> = state.functions.keys().map(ToString::to_string).collect();
    assert_eq!(functions, ["prod/checkout-api", "prod/orders-events"]);
}

/// Reads examples as one repository; each begins with a comment that holds its path.
fn load(examples: &[String]) -> DesiredState {
    let mut contents = BTreeMap::new();
    let mut entries = Vec::new();
    for example in examples {
        let path = example.lines().next().and_then(|line| line.strip_prefix("# "));
        let path = path.expect("an example begins with its path").to_owned();
        let blob = BlobId(path.clone().into_bytes());
        entries.push(SourceEntry {
            path,
            plain: true,
            kind: EntryKind::File,
            blob: blob.clone(),
            size: example.len() as u64,
        });
        contents.insert(blob, example.clone().into_bytes());
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let tree = SourceTree {
        entries,
        missing: Vec::new(),
    };
    let target = Target {
        name: "prod".parse().expect("a target's name"),
        path: "prod".to_owned(),
        region: "us-east-1".parse().ok(),
        account: None,
        functions: "*".parse().into_iter().collect(),
    };
    manifest::load(None, &tree, &contents, &[target], &mut Cache::default())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    let text = fs::read_to_string(path);
    assert!(text.is_ok(), "{} can be read", path.display());
    text.unwrap_or_default()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Returns every page that people read, from the root and from docs/.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        .into_iter()
        .map(|name| root().join(name))
        .filter(|path| path.exists())
        .collect();
    walk(&root().join("docs"), "md", &mut pages);
    walk(&root().join("charts"), "md", &mut pages);
    assert!(pages.len() > 10, "the pages are found");
    pages
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    walk(folder, "rs", &mut files);
    files
}

fn walk(folder: &Path, extension: &str, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder can be read") {
        let path = entry.expect("an entry of a folder").path();
        if path.is_dir() {
            walk(&path, extension, files);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
}

/// Returns the text without its fenced blocks.
fn prose(text: &str) -> String {
    let mut inside = false;
    let outside = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    outside.collect::<Vec<_>>().join("\n")
}

/// Returns the fenced blocks of one language.
fn fenced(text: &str, language: &str) -> Vec<String> {
    text.split(&format!("```{language}\n"))
        .skip(1)
        .filter_map(|rest| rest.split("```").next().map(str::to_owned))
        .collect()
}

/// Returns what stands between single backticks.
fn code_spans(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn links(text: &str) -> Vec<String> {
    let plain: String = prose(text).split('`').step_by(2).collect();
    plain
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next().map(str::to_owned))
        .collect()
}

/// Returns the anchors that GitHub gives to the headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in prose(text).lines().filter(|line| line.starts_with('#')) {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let slug: String = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let numbered = (1..).map(|number| format!("{slug}-{number}"));
        let free = std::iter::once(slug.clone())
            .chain(numbered)
            .find(|slug| !anchors.contains(slug));
        anchors.extend(free);
    }
    anchors
}

/// Returns the text from a heading, or another beginning, to the next heading of the same or a higher level.
fn section<'t>(text: &'t str, beginning: &str) -> &'t str {
    let Some(at) = text.find(beginning) else { return "" };
    let rest = &text[at + beginning.len()..];
    let level = beginning.trim_start().bytes().take_while(|byte| *byte == b'#').count();
    let end = (1..=level)
        .filter_map(|level| rest.find(&format!("\n{} ", "#".repeat(level))))
        .min();
    &rest[..end.unwrap_or(rest.len())]
}

fn metric_names(text: &str, quote: char) -> BTreeSet<String> {
    text.split(quote)
        .filter(|word| {
            word.strip_prefix("pinfold_")
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
        })
        .map(str::to_owned)
        .collect()
}

/// Returns the keys of a JSON Schema, at every depth.
fn properties(schema: &Value, keys: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(found)) = members.get("properties") {
                keys.extend(found.keys().cloned());
            }
            for value in members.values() {
                properties(value, keys);
            }
        }
        Value::Array(items) => {
            for item in items {
                properties(item, keys);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn help(command: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_pinfold"))
        .args(command)
        .arg("--help")
        .env_clear()
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{command:?} --help");
    String::from_utf8(output.stdout).expect("help is text")
}

/// Returns the long flags of a help text that a page does not name.
fn flags(help: &str, page: &str) -> Vec<String> {
    help.lines()
        .map(str::trim)
        .filter(|line| line.starts_with('-'))
        .filter_map(|line| line.split_whitespace().find(|word| word.starts_with("--")))
        .map(|flag| flag.trim_end_matches("...").to_owned())
        .filter(|flag| !page.contains(&format!("`{flag}`")) && !page.contains(&format!("`{flag} ")))
        .filter(|flag| !page.contains(&format!("[{flag}")))
        .collect()
}
