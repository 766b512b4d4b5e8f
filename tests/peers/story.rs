//! Tells what a scenario came to, in a form that fits into a snapshot: hashes and ids by name, one thing a line.

use std::fmt::Write as _;
use std::io::Write as _;

use pinfold::plan::Report;
use serde_json::Value;

use crate::world::World;

impl World {
    /// Plans, applies, and applies again. Tells the plan, the report, and what is live then.
    ///
    /// Holds every scenario to the same: a plan writes nothing; a second pass straight after has nothing to do, writes
    /// nothing and sees the same, and so does a process that remembers nothing.
    pub(crate) async fn story(&mut self) -> String {
        let before = self.guards().await;
        let plan = self.told(&self.plan().await);
        assert_eq!(self.guards().await, before, "a plan writes");
        let after = self.told(&self.apply().await);
        self.calm(&after).await;
        let after = if after == plan { "as planned".to_owned() } else { after };
        format!("plan: {plan}\nafter: {after}\nlive:\n{}", self.live().await)
    }

    /// Applies once. Tells the report, and what is live then. A second pass is held to the same as in [`World::story`].
    pub(crate) async fn pass(&mut self) -> String {
        let after = self.told(&self.apply().await);
        self.calm(&after).await;
        format!("after: {after}\nlive:\n{}", self.live().await)
    }

    /// Holds a second pass, and the plan of a new process, to doing nothing and seeing what the first pass saw.
    async fn calm(&mut self, after: &str) {
        let guards = self.guards().await;
        let settled = without_steps(after);
        let second = self.told(&self.apply().await);
        assert_eq!(second, settled, "a second pass plans or sees something else");
        assert_eq!(self.guards().await, guards, "a second pass writes");
        self.restart().await;
        let afresh = self.told(&self.plan().await);
        assert_eq!(afresh, settled, "a new process plans or sees something else");
    }

    /// Everything that changes with every write to the function: the RevisionIds, and which versions there are.
    async fn guards(&self) -> Vec<String> {
        let mut guards = vec![format!("{:?}", self.hands.latest(&self.function).await.revision_id)];
        let versions = self.hands.versions(&self.function).await;
        guards.extend(versions.into_iter().map(|version| version.version.unwrap()));
        for (name, alias) in self.hands.aliases(&self.function).await {
            guards.push(format!("{name} {:?} {:?}", alias.function_version, alias.revision_id));
        }
        guards
    }

    /// Tells a report.
    pub(crate) fn told(&self, report: &Report) -> String {
        let json = report.to_json();
        let mut text = format!("inSync {}", json["inSync"]);
        for function in json["functions"].as_array().unwrap() {
            write!(text, "\n  {} {}", word(&function["function"]), word(&function["state"])).unwrap();
            for drift in function["drift"].as_array().unwrap() {
                write!(text, "\n    drift {}", told_drift(drift)).unwrap();
            }
            for step in function["steps"].as_array().unwrap() {
                write!(text, "\n    step {}", told_step(step)).unwrap();
            }
            for withheld in function["withheld"].as_array().unwrap() {
                let (alias, reason) = (word(&withheld["alias"]), word(&withheld["reason"]));
                write!(text, "\n    withheld {alias} {reason}").unwrap();
            }
        }
        for unmanaged in json["unmanaged"].as_array().unwrap() {
            write!(text, "\n  unmanaged {}", word(&unmanaged["function"])).unwrap();
        }
        for list in ["faults", "failedTargets"] {
            for entry in json[list].as_array().unwrap() {
                write!(text, "\n  {list} {entry}").unwrap();
            }
        }
        self.named(&text)
    }

    /// Tells what is live: `$LATEST`, the versions and the aliases, as the SDK reads them.
    pub(crate) async fn live(&self) -> String {
        let latest = self.hands.latest(&self.function).await;
        let mut text = format!("  $LATEST {}", latest.code_sha256.as_deref().unwrap_or("without hash"));
        let status = latest.last_update_status.unwrap();
        if status.as_str() != "Successful" {
            write!(text, " {}", status.as_str()).unwrap();
        }
        for version in self.hands.versions(&self.function).await {
            let number = version.version().unwrap();
            if number != "$LATEST" {
                let (sha256, description) = (
                    version.code_sha256().unwrap(),
                    version.description().unwrap_or_default(),
                );
                write!(text, "\n  {}", format!("{number} {sha256} {description}").trim_end()).unwrap();
            }
        }
        for (name, alias) in self.hands.aliases(&self.function).await {
            write!(text, "\n  {name} -> {}", alias.function_version().unwrap()).unwrap();
            let weights = alias
                .routing_config
                .and_then(|routing| routing.additional_version_weights);
            if let Some(weights) = weights.filter(|weights| !weights.is_empty()) {
                write!(text, " {weights:?}").unwrap();
            }
        }
        self.named(&text)
    }

    /// Calls everything by its name that has one.
    pub(crate) fn named(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (id, name) in &self.names {
            text = text.replace(id, name);
        }
        text
    }

    /// Says something on standard error, past the test harness, which keeps what passing tests print.
    pub(crate) fn tell(&self, what: &str) {
        writeln!(std::io::stderr(), "{what} [{}]", self.scenario).unwrap();
    }
}

fn without_steps(text: &str) -> String {
    let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("    step")).collect();
    kept.join("\n")
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

/// `kind alias: desired, live what is live`.
fn told_drift(drift: &Value) -> String {
    let side = |side: &Value| {
        if side.is_null() {
            return "nothing".to_owned();
        }
        if let Some(weights) = side["weights"].as_object() {
            return if weights.is_empty() {
                "no weights".to_owned()
            } else {
                side["weights"].to_string()
            };
        }
        let version = side["version"].as_str().or(side["functionVersion"].as_str()).unwrap();
        format!("{version} ({})", word(&side["codeSha256"]))
    };
    let (kind, alias) = (word(&drift["kind"]), word(&drift["alias"]));
    format!(
        "{kind} {alias}: {}, live {}",
        side(&drift["desired"]),
        side(&drift["live"])
    )
}

/// `action what: result`, with the version that an alias or a publication came to.
fn told_step(step: &Value) -> String {
    let action = word(&step["action"]);
    let what = match action {
        "UpdateCode" => format!(
            "{} ({}) of {}",
            word(&step["version"]),
            word(&step["codeSha256"]),
            word(&step["objectVersion"])
        ),
        "AwaitUpdated" => word(&step["codeSha256"]).to_owned(),
        "PublishVersion" => format!("{} as {}", word(&step["codeSha256"]), word(&step["to"])),
        _ => format!(
            "{} {} to {}",
            word(&step["alias"]),
            word(&step["from"]),
            word(&step["to"])
        ),
    };
    format!("{action} {what}: {}", word(&step["result"]))
}
