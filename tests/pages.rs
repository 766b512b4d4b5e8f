//! Does what the pages say: runs the commands of README and docs/, holds what they print to what the pages show, and reads
//! every other example with the reader that it is for. Works in a folder of its own; reaches the loopback alone.
//!
//! The first word after the backticks is the language, the second says what becomes of the block:
//!
//! | block | meaning |
//! | --- | --- |
//! | `sh` | is run, in the page's folder, after the blocks before it; a block `text` right behind it is its output |
//! | `sh stays` | is run and stays until the page ends |
//! | `sh TOOL` | is run where `PINFOLD_TEST_TOOLS` names the tool, as `.ci/docs` does; else it is only parsed |
//! | `sh elsewhere` | is only parsed: it needs an account, a cluster, a registry or much time |
//! | `yaml`, `json` | is read as what it looks like |
//!
//! A line with the comment `# ends with N` must end with that code, one with `# fails` with any but 0, every other line
//! with 0. In an output, a line `...` stands for any lines, and three dots in a line for any text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pinfold::config::Config;
use pinfold::domain::{BlobId, EntryKind, SourceEntry, SourceTree, Target};
use pinfold::manifest::{self, Cache};
use serde_json::Value;
use tempfile::TempDir;

/// How long a page's commands may take altogether. They take seconds; a busy machine takes longer.
const PATIENCE: Duration = Duration::from_mins(4);

/// How often is asked whether something serves.
const POLL: Duration = Duration::from_millis(50);

/// The ports that pages name. Each run takes free ones in their place.
const PORTS: [&str; 2] = ["8420", "4566"];

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Block {
    line: usize,
    language: String,
    fate: String,
    text: String,
    /// What the page shows as its output.
    output: Option<String>,
}

#[test]
fn the_commands_of_the_pages_do_what_the_pages_say() {
    let mut wrong = Vec::new();
    let mut ran = 0;
    for page in pages() {
        let blocks: Vec<Block> = blocks(&read(&page))
            .into_iter()
            .filter(|block| block.language == "sh" && runs(block))
            .collect();
        if blocks.is_empty() {
            continue;
        }
        ran += blocks.len();
        let mut walk = Walk::new();
        for block in &blocks {
            if let Err(told) = walk.take(block) {
                wrong.push(format!("{}:{}: {told}", shown(&page), block.line));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(ran > 5, "the commands are found: {ran}");
}

#[test]
fn every_block_has_a_language_that_says_what_becomes_of_it() {
    let mut wrong = Vec::new();
    for page in pages() {
        for block in blocks(&read(&page)) {
            let known = match block.language.as_str() {
                "sh" => matches!(block.fate.as_str(), "" | "stays" | "elsewhere" | "aws" | "yq"),
                "text" | "yaml" | "json" | "terraform" | "typescript" => block.fate.is_empty(),
                _ => false,
            };
            if !known {
                wrong.push(format!(
                    "{}:{}: {} {}",
                    shown(&page),
                    block.line,
                    block.language,
                    block.fate
                ));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_commands_that_are_not_run_parse() {
    let mut wrong = Vec::new();
    for page in pages() {
        for block in blocks(&read(&page)).iter().filter(|block| block.language == "sh") {
            let parsed = Command::new("bash").args(["-n", "-c", &block.text]).output();
            let parsed = parsed.expect("bash runs");
            if !parsed.status.success() {
                let told = String::from_utf8_lossy(&parsed.stderr);
                wrong.push(format!("{}:{}: {told}", shown(&page), block.line));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_examples_are_read_by_what_they_are_for() {
    let mut wrong = Vec::new();
    for page in pages() {
        for block in blocks(&read(&page)) {
            let told = match block.language.as_str() {
                "yaml" => yaml_fault(&block.text),
                "json" => serde_json::from_str::<Value>(&block.text)
                    .err()
                    .map(|error| error.to_string()),
                _ => None,
            };
            wrong.extend(told.map(|told| format!("{}:{}: {told}", shown(&page), block.line)));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// The calls that the adapters make, by the permission that each needs; GetCallerIdentity needs none.
#[test]
fn the_policies_grant_what_the_code_calls_and_nothing_else() {
    let called: BTreeSet<String> = ["read", "write"]
        .iter()
        .flat_map(|file| calls(&read(&root().join(format!("src/adapters/lambda/{file}.rs")))))
        .filter(|call| call != "get_caller_identity")
        .map(|call| format!("lambda:{}", camel(&call)))
        .collect();
    let read_objects = calls(&read(&root().join("src/adapters/s3.rs")));
    assert_eq!(
        read_objects,
        BTreeSet::from(["get_object", "head_object"].map(str::to_owned))
    );
    // Lambda reads a version of an object where it is told one; and without the last, S3 denies what is missing.
    let s3 = ["s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"].map(str::to_owned);
    let needed: BTreeSet<String> = called.iter().cloned().chain(s3).collect();

    let page = read(&root().join("docs/iam.md"));
    let observe = actions(&policy(&page, "observe"));
    let reconcile = actions(&policy(&page, "reconcile"));
    assert_eq!(observe.union(&reconcile).cloned().collect::<BTreeSet<_>>(), needed);
    let writes = |action: &String| ["Create", "Publish", "Update"].iter().any(|verb| action.contains(verb));
    assert!(!observe.iter().any(writes), "whoever observes may write nothing");
    assert!(reconcile.iter().all(writes), "{reconcile:?}");

    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let explained: BTreeSet<String> = rows.map(str::to_owned).collect();
    let others = ["sts:AssumeRole", "kms:Decrypt"].map(str::to_owned);
    assert_eq!(explained, needed.into_iter().chain(others).collect());
}

#[test]
fn the_policy_of_a_queue_grants_what_the_code_calls_and_nothing_else() {
    let called = calls(&read(&root().join("src/adapters/hints.rs")));
    // A batch is granted by the action for one.
    let needed: BTreeSet<String> = called
        .iter()
        .filter(|call| *call != "get_caller_identity")
        .map(|call| format!("sqs:{}", camel(call.trim_end_matches("_batch"))))
        .collect();
    assert_eq!(
        actions(&policy(&read(&root().join("docs/events.md")), "events")),
        needed
    );
}

/// Returns the operations that an adapter calls, as the SDK names them: a verb of AWS, with nothing between the brackets.
fn calls(code: &str) -> BTreeSet<String> {
    let verbs = [
        "get_", "head_", "list_", "create_", "update_", "publish_", "put_", "copy_", "delete_", "add_", "remove_",
        "tag_", "untag_", "invoke_", "receive_",
    ];
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let dense: String = code.split_whitespace().collect();
    dense
        .split('.')
        .skip(1)
        .filter_map(|rest| rest.split_once("()").map(|(call, _)| call.to_owned()))
        .filter(|call| call.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
        .filter(|call| verbs.iter().any(|verb| call.starts_with(verb)))
        .collect()
}

fn camel(name: &str) -> String {
    name.split('_')
        .map(|word| word[..1].to_uppercase() + &word[1..])
        .collect()
}

/// Returns the policy behind a marker.
fn policy(page: &str, name: &str) -> Value {
    let marked = page.split(&format!("<!-- policy: {name} -->\n```json\n")).nth(1);
    let text = marked
        .and_then(|rest| rest.split("```").next())
        .expect("the policy is found");
    serde_json::from_str(text).expect("a policy is JSON")
}

fn actions(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().expect("statements");
    let texts = |value: &Value| -> Vec<String> {
        let one = value.as_str().map(str::to_owned);
        let several = value.as_array().into_iter().flatten();
        one.into_iter()
            .chain(several.filter_map(|item| item.as_str().map(str::to_owned)))
            .collect()
    };
    statements
        .iter()
        .flat_map(|statement| texts(&statement["Action"]))
        .collect()
}

#[test]
fn the_settings_for_renovate_are_those_of_the_example() {
    let page = read(&root().join("docs/versions.md"));
    let shown = page
        .split("<!-- renovate:")
        .nth(1)
        .and_then(|rest| rest.split("```").nth(1));
    let file = read(&root().join("desired-state-example/renovate.json"));
    assert_eq!(
        shown.and_then(|shown| shown.strip_prefix("json\n")),
        Some(file.as_str())
    );
}

/// Reads a manifest or a configuration as Pinfold would, and everything else as plain YAML.
fn yaml_fault(text: &str) -> Option<String> {
    let value: serde_yaml::Value = match serde_yaml::from_str(text) {
        Ok(value) => value,
        // CloudFormation's short forms are tags, which only its own tools know.
        Err(error) => return Some(error.to_string()),
    };
    if value.get("apiVersion").and_then(serde_yaml::Value::as_str) == Some("pinfold/v1") {
        let kind = value.get("kind").and_then(serde_yaml::Value::as_str);
        let path = if kind == Some("Defaults") {
            "defaults.yaml"
        } else {
            "prod/x.yaml"
        };
        return manifest_fault(path, text);
    }
    if value.get("targets").is_some() || value.get("repository").is_some() {
        return Config::parse(text, Path::new("/etc/pinfold"), "example")
            .err()
            .map(|error| error.to_string());
    }
    None
}

fn manifest_fault(path: &str, text: &str) -> Option<String> {
    let defaults = "apiVersion: pinfold/v1\nkind: Defaults\nartifact: s3://acme/{name}/{version}.zip\n";
    let mut files = BTreeMap::from([(path, text)]);
    files.entry("defaults.yaml").or_insert(defaults);
    let entries = files.iter().map(|(path, text)| SourceEntry {
        path: (*path).to_owned(),
        plain: true,
        kind: EntryKind::File,
        blob: BlobId(path.as_bytes().to_vec()),
        size: text.len() as u64,
    });
    let mut entries: Vec<SourceEntry> = entries.collect();
    // A target's folder is there where a file is in it.
    entries.push(SourceEntry {
        path: "prod/other.txt".to_owned(),
        plain: true,
        kind: EntryKind::File,
        blob: BlobId(b"other".to_vec()),
        size: 0,
    });
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let tree = SourceTree {
        entries,
        missing: Vec::new(),
    };
    let contents = files
        .iter()
        .map(|(path, text)| (BlobId(path.as_bytes().to_vec()), text.as_bytes().to_vec()))
        .collect();
    let target = Target {
        name: "prod".parse().expect("a target's name"),
        path: "prod".to_owned(),
        region: "us-east-1".parse().ok(),
        account: "111111111111".parse().ok(),
        functions: "*".parse().into_iter().collect(),
    };
    let state = manifest::load(None, &tree, &contents, &[target], &mut Cache::default());
    state.faults.first().map(|fault| format!("{fault:?}"))
}

/// One page's commands, on their way through a folder.
struct Walk {
    folder: TempDir,
    /// What a page calls an address, and the address of this run.
    ports: Vec<(String, String)>,
    staying: Vec<Child>,
    began: Instant,
    blocks: usize,
}

impl Walk {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let bin = folder.path().join("bin");
        fs::create_dir_all(&bin).expect("a folder for the binary");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pinfold"), bin.join("pinfold")).expect("a link to the binary");
        fs::create_dir_all(folder.path().join("here")).expect("a folder for the page");
        // Held together, so that they differ.
        let listeners: Vec<TcpListener> = PORTS
            .iter()
            .map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port"))
            .collect();
        let ports = PORTS.iter().zip(&listeners).map(|(port, listener)| {
            let free = listener.local_addr().expect("an address").port();
            (format!("127.0.0.1:{port}"), format!("127.0.0.1:{free}"))
        });
        Self {
            ports: ports.collect(),
            folder,
            staying: Vec::new(),
            began: Instant::now(),
            blocks: 0,
        }
    }

    /// Runs a block, and says what is wrong with it.
    fn take(&mut self, block: &Block) -> Result<(), String> {
        self.blocks += 1;
        if block.fate == "stays" {
            return self.start(block);
        }
        // Three lines stand before the block's first; see `ended`.
        let failed = self.folder.path().join(format!("failed.{}", self.blocks));
        let script = format!(
            "{}\nset -E\ntrap 'echo \"$? $LINENO\" >> \"{}\"' ERR\n{}\ntrap - ERR\n\
             {{ export -p; printf 'cd %q\\n' \"$PWD\"; }} > \"{}\"\n",
            self.goes_on(),
            failed.display(),
            self.mapped(&block.text),
            self.state().display()
        );
        let output = self.command(&script).output().map_err(|error| error.to_string())?;
        let printed = self.unmapped(&String::from_utf8_lossy(&output.stdout));
        let told = self.unmapped(&String::from_utf8_lossy(&output.stderr));
        if self.began.elapsed() > PATIENCE {
            return Err(format!("takes too long\n{printed}{told}"));
        }
        let ended: BTreeMap<usize, String> = fs::read_to_string(&failed)
            .unwrap_or_default()
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter_map(|(code, line)| Some((line.parse::<usize>().ok()?.checked_sub(4)?, code.to_owned())))
            .collect();
        for (index, line) in block.text.lines().enumerate() {
            let found = ended.get(&index).map_or("0", String::as_str);
            let as_told = match line.split_once("# ends with ") {
                Some((_, told)) => found == told.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default(),
                None => (found != "0") == line.contains("# fails"),
            };
            if !as_told {
                return Err(format!("`{line}` ends with {found}\n{printed}{told}"));
            }
        }
        match &block.output {
            Some(shown) if !matches(shown, &printed) => {
                Err(format!("the page shows\n{shown}\nand this is printed\n{printed}{told}"))
            }
            _ => Ok(()),
        }
    }

    /// Starts a block that stays, and waits until it serves.
    fn start(&mut self, block: &Block) -> Result<(), String> {
        let script = format!(
            "[ -f \"$STATE\" ] && . \"$STATE\"\nexec {}",
            self.mapped(block.text.trim())
        );
        let child = self
            .command(&script)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        self.staying.push(child);
        // The sandbox serves as soon as it listens, the daemon once a pass is complete.
        let sandbox = block.text.contains("sandbox");
        let address: SocketAddr = self.ports[usize::from(sandbox)].1.parse().expect("an address");
        while self.began.elapsed() < PATIENCE {
            let serves = TcpStream::connect(address).is_ok();
            let ready = || {
                let status = ["status", "--url", &format!("http://{address}")];
                let output = Command::new(env!("CARGO_BIN_EXE_pinfold")).args(status).output();
                output.is_ok_and(|output| output.status.success())
            };
            if serves && (sandbox || ready()) {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        Err("does not begin to serve".to_owned())
    }

    /// Where a block leaves its folder and its variables to the next one.
    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn goes_on(&self) -> String {
        let state = self.state();
        format!("[ ! -f \"{0}\" ] || . \"{0}\"", state.display())
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("bash");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders = vec![self.folder.path().join("bin")];
        folders.extend(std::env::split_paths(&path));
        command
            .args(["-c", script])
            .env_clear()
            .env("PATH", std::env::join_paths(folders).expect("a path"))
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            // What the commands ask by default, at the ports of this run.
            .env("PINFOLD_URL", format!("http://{}", self.ports[0].1))
            .current_dir(self.folder.path().join("here"))
            .stdin(Stdio::null())
            // A group of its own, so that nothing outlives the page.
            .process_group(0);
        command
    }

    fn mapped(&self, text: &str) -> String {
        let named = text
            .replace("pinfold demo ", &format!("pinfold demo --listen {} ", self.ports[0].0))
            .replace(
                "pinfold sandbox ",
                &format!("pinfold sandbox --listen {} ", self.ports[1].0),
            );
        self.ports
            .iter()
            .fold(named, |text, (page, free)| text.replace(page, free))
    }

    fn unmapped(&self, text: &str) -> String {
        let folder = self.folder.path().join("here");
        let text = text.replace(&format!("{}/", folder.display()), "");
        self.ports
            .iter()
            .fold(text, |text, (page, free)| text.replace(free, page))
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        for child in &mut self.staying {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whether a block is run here.
fn runs(block: &Block) -> bool {
    let tools = std::env::var_os("PINFOLD_TEST_TOOLS").unwrap_or_default();
    let tools = tools.to_string_lossy();
    match block.fate.as_str() {
        "" | "stays" => true,
        "elsewhere" => false,
        tool => tools.split_whitespace().any(|granted| granted == tool),
    }
}

/// Whether a text is what a page shows: line by line, `...` standing for any text, and alone for any lines.
fn matches(shown: &str, printed: &str) -> bool {
    let shown: Vec<&str> = shown.trim_end().lines().collect();
    let printed: Vec<&str> = printed.trim_end().lines().collect();
    lines_match(&shown, &printed)
}

fn lines_match(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((&"...", rest)) => (0..=printed.len()).any(|skipped| lines_match(rest, &printed[skipped..])),
        Some((line, rest)) => {
            let Some((first, others)) = printed.split_first() else {
                return false;
            };
            line_matches(line.trim_end(), first.trim_end()) && lines_match(rest, others)
        }
    }
}

fn line_matches(shown: &str, printed: &str) -> bool {
    let Some((before, after)) = shown.split_once("...") else {
        return shown == printed;
    };
    printed
        .strip_prefix(before)
        .is_some_and(|rest| (0..=rest.len()).any(|at| rest.get(at..).is_some_and(|rest| line_matches(after, rest))))
}

#[test]
fn what_is_shown_is_held_to_what_is_printed() {
    assert!(matches("a\nb\n", "a\nb\n\n"));
    assert!(!matches("a\nb", "a"));
    assert!(!matches("a", "a\nb"));
    assert!(matches("a\n...\nd", "a\nb\nc\nd"));
    assert!(matches("a\n...", "a"));
    assert!(!matches("a\n...\nd", "a\nb"));
    assert!(matches("version ... of x", "version 12 of x"));
    assert!(!matches("version ... of x", "version 12 of y"));
}

#[test]
fn a_command_that_does_not_do_what_the_page_says_is_found() {
    let block = |text: &str, output: Option<&str>| Block {
        line: 1,
        language: "sh".to_owned(),
        fate: String::new(),
        text: text.to_owned(),
        output: output.map(str::to_owned),
    };
    let mut walk = Walk::new();
    assert_eq!(walk.take(&block("x=1; export y=2; mkdir z; cd z", None)), Ok(()));
    assert_eq!(walk.take(&block("echo $y; basename \"$PWD\"", Some("2\nz"))), Ok(()));
    assert!(walk.take(&block("echo a", Some("b"))).is_err());
    assert!(walk.take(&block("false\ntrue", None)).is_err());
    assert!(walk.take(&block("true # ends with 1", None)).is_err());
    assert_eq!(walk.take(&block("false # ends with 1: so be it", None)), Ok(()));
    assert_eq!(walk.take(&block("false # fails: so be it", None)), Ok(()));
    assert!(walk.take(&block("true # fails", None)).is_err());
    assert_eq!(walk.take(&block("until true; do false; done", None)), Ok(()));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a page can be read")
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// Returns the pages that people read.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = ["README.md", "CONTRIBUTING.md", "charts/pinfold/README.md"]
        .into_iter()
        .map(|name| root().join(name))
        .collect();
    for entry in fs::read_dir(root().join("docs")).expect("docs can be read") {
        let path = entry.expect("an entry of docs").path();
        if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    pages
}

/// Returns a page's fenced blocks.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    // Whether only empty lines lie between here and the last block.
    let mut adjacent = false;
    for (index, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let (language, fate) = info.split_once(' ').unwrap_or((info, ""));
                open = Some(Block {
                    line: index + 1,
                    language: language.to_owned(),
                    fate: fate.to_owned(),
                    text: String::new(),
                    output: None,
                });
            }
            (Some(_), Some(_)) => {
                let block = open.take().expect("a block is open");
                let before = blocks.last_mut().filter(|before| adjacent && before.language == "sh");
                match before {
                    Some(before) if block.language == "text" => before.output = Some(block.text),
                    _ => blocks.push(block),
                }
                adjacent = true;
            }
            (Some(block), None) => {
                let _ = writeln!(block.text, "{line}");
            }
            (None, None) => adjacent &= line.is_empty(),
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}
