//! Tells what a scenario came to, in a form that fits into a snapshot: ids, hashes and commits by name, one thing a line.

use std::fmt::Write as _;

use pinfold::plan::Report;
use pinfold::sandbox::Call;
use serde_json::{Value, json};

use crate::world::World;

impl World {
    /// Plans, applies, and applies again. Tells the plan, the calls that wrote, the report and what is live then.
    ///
    /// Holds every scenario to the same: a plan writes nothing, and a second pass straight after writes nothing and
    /// leaves every function in its state.
    pub(crate) async fn story(&self) -> String {
        self.sandbox.clear_calls();
        let plan = self.plan().await;
        assert_eq!(self.writes(), [], "a plan writes");
        let pass = self.pass().await;
        let after = pass.split_once("\nafter: ").map(|(_, after)| after.to_owned());
        self.sandbox.clear_calls();
        let second = self.apply().await;
        assert_eq!(self.written(), [""; 0], "a second pass writes");
        let again = format!("{}\n{}", self.told(&second), self.live());
        let without_steps = |text: &str| {
            let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("    step")).collect();
            kept.join("\n")
        };
        assert_eq!(
            without_steps(&after.unwrap()),
            without_steps(&again),
            "a second pass sees something else"
        );
        let plan = self.told(&plan);
        format!("plan: {plan}\n{pass}").replace(&format!("\nafter: {plan}\n"), "\nafter: as planned\n")
    }

    /// Applies once. Tells the calls that wrote, the report and what is live then.
    pub(crate) async fn pass(&self) -> String {
        self.sandbox.clear_calls();
        let report = self.apply().await;
        let written = self.written();
        let written = if written.is_empty() {
            " none".to_owned()
        } else {
            format!("\n  {}", written.join("\n  "))
        };
        format!("writes:{written}\nafter: {}\n{}", self.told(&report), self.live())
    }

    /// Tells a report from its JSON.
    pub(crate) fn told(&self, report: &Report) -> String {
        let json = report.to_json();
        let mut text = format!("inSync {}", json["inSync"]);
        if let Some(revision) = json["revision"].as_str() {
            write!(text, " at {revision}").unwrap();
        }
        for function in json["functions"].as_array().unwrap() {
            let word = |member: &str| function[member].as_str().unwrap_or("null").to_owned();
            assert_eq!(word("region"), "us-east-1");
            write!(text, "\n  {} {}", word("function"), word("state")).unwrap();
            for (list, one) in [("drift", "drift"), ("steps", "step"), ("withheld", "withheld")] {
                for entry in function[list].as_array().unwrap() {
                    let mut entry = entry.clone();
                    if list == "withheld" {
                        // The same for every entry of a reason, and no story of one pass.
                        for field in ["since", "until", "release", "help"] {
                            entry.as_object_mut().unwrap().remove(field);
                        }
                    }
                    write!(text, "\n    {one} {entry}").unwrap();
                }
            }
        }
        for (list, one) in [
            ("faults", "fault"),
            ("unmanaged", "unmanaged"),
            ("failedTargets", "failed"),
        ] {
            for entry in json[list].as_array().unwrap() {
                write!(text, "\n  {one} {entry}").unwrap();
            }
        }
        self.named(&text)
    }

    /// Tells the calls that wrote, with all that they said.
    pub(crate) fn written(&self) -> Vec<String> {
        self.writes().iter().map(|call| self.named(&self.line(call))).collect()
    }

    fn line(&self, call: &Call) -> String {
        let mut params = call.params.clone();
        if let Value::Object(members) = &mut params {
            members.remove("FunctionName");
            // A guard that was not there at the start was read since: which id it is, is the sandbox's affair.
            if let Some(Value::String(guard)) = members.get_mut("RevisionId")
                && !self.names.contains_key(guard)
            {
                "read since".clone_into(guard);
            }
        }
        let mut line = format!("{} {} {params}", call.operation, call.resource);
        match call.status {
            Some(200..=299) => {}
            Some(status) => write!(line, " refused with {status}").unwrap(),
            None => line.push_str(" not carried out"),
        }
        if call.cut {
            line.push_str(", reply lost");
        }
        line
    }

    /// Tells what is live: of each function `$LATEST`, the versions and the aliases.
    pub(crate) fn live(&self) -> String {
        let mut text = "live:".to_owned();
        for function in self.functions() {
            write!(text, "\n  {function}").unwrap();
            let input = json!({ "FunctionName": function });
            let versions = self.aws.call("ListVersionsByFunction", input).unwrap();
            for version in versions["Versions"].as_array().unwrap() {
                let word = |member: &str| version[member].as_str().unwrap_or_default();
                let line = format!("{} {} {}", word("Version"), word("CodeSha256"), word("Description"));
                write!(text, "\n    {}", line.trim_end()).unwrap();
            }
            let latest = &self.aws.function(&function, None).unwrap()["Configuration"];
            if latest["LastUpdateStatus"] != "Successful" {
                write!(text, "\n    $LATEST is {}", latest["LastUpdateStatus"]).unwrap();
            }
            for alias in self.aliases(&function) {
                let (name, version) = (
                    alias["Name"].as_str().unwrap(),
                    alias["FunctionVersion"].as_str().unwrap(),
                );
                write!(text, "\n    {name} -> {version}").unwrap();
                let weights = &alias["RoutingConfig"]["AdditionalVersionWeights"];
                if weights.as_object().is_some_and(|weights| !weights.is_empty()) {
                    write!(text, " {weights}").unwrap();
                }
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

    /// Counts the calls since the last look, reads too, by operation.
    pub(crate) fn counts(&self) -> Vec<String> {
        let mut counts = std::collections::BTreeMap::new();
        for call in self.sandbox.calls() {
            *counts.entry(call.operation).or_insert(0) += 1;
        }
        counts
            .into_iter()
            .map(|(operation, count)| format!("{operation} {count}"))
            .collect()
    }
}
