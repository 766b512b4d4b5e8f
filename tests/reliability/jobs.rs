//! The jobs that Pinfold is for, each as a world at rest and one change to it. What is done about the change is for
//! others to try.

use std::time::Duration;

use pinfold::sandbox::Code;
use serde_json::json;

use crate::stage::{Stage, zip};

/// One job.
pub(crate) struct Job {
    pub(crate) name: &'static str,
    /// Makes the world at rest.
    rest: fn() -> Stage,
    /// Makes something to do.
    change: fn(&mut Stage),
}

impl Job {
    /// The world before the job, with uploads that stay in progress for `window` from now on.
    pub(crate) fn rest(&self, window: Duration) -> Stage {
        let mut stage = (self.rest)();
        stage.window = window;
        stage
    }

    /// Makes the change that the job is about.
    pub(crate) fn change(&self, stage: &mut Stage) {
        (self.change)(stage);
    }

    /// The world in which the job is to be done.
    pub(crate) fn world(&self, window: Duration) -> Stage {
        let mut stage = self.rest(window);
        self.change(&mut stage);
        stage
    }
}

/// Every job.
pub(crate) const JOBS: [Job; 16] = [
    Job {
        name: "bump",
        rest: api,
        change: bump,
    },
    Job {
        name: "beta candidate",
        rest: api,
        change: beta_candidate,
    },
    Job {
        name: "beta and bump",
        rest: beta,
        change: beta_and_bump,
    },
    Job {
        name: "two aliases",
        rest: api,
        change: two_aliases,
    },
    Job {
        name: "swap",
        rest: beta,
        change: swap,
    },
    Job {
        name: "revert",
        rest: released,
        change: revert,
    },
    Job {
        name: "revert with new configuration",
        rest: released,
        change: revert_with_new_configuration,
    },
    Job {
        name: "$LATEST edited",
        rest: api,
        change: latest_edited,
    },
    Job {
        name: "alias moved",
        rest: api,
        change: alias_moved,
    },
    Job {
        name: "weights",
        rest: api,
        change: weights,
    },
    Job {
        name: "alias missing",
        rest: api,
        change: alias_missing,
    },
    Job {
        name: "alias on $LATEST",
        rest: api,
        change: alias_on_latest,
    },
    Job {
        name: "update failed",
        rest: api,
        change: update_failed,
    },
    Job {
        name: "update in progress",
        rest: api,
        change: update_in_progress,
    },
    Job {
        name: "first deployment",
        rest: unnamed,
        change: first_deployment,
    },
    Job {
        name: "two functions",
        rest: two,
        change: two_functions,
    },
];

fn api() -> Stage {
    Stage::settled(&["api"])
}

fn two() -> Stage {
    Stage::settled(&["api", "worker"])
}

fn unnamed() -> Stage {
    Stage::new(&["api"])
}

fn released() -> Stage {
    let mut stage = api();
    bump(&mut stage);
    stage.settle();
    stage
}

fn beta() -> Stage {
    let mut stage = api();
    beta_candidate(&mut stage);
    stage.settle();
    stage
}

fn bump(stage: &mut Stage) {
    stage.want("api", "1.1.0", &[("live", "1.1.0")]);
}

fn beta_candidate(stage: &mut Stage) {
    stage.want("api", "1.0.0", &[("live", "1.0.0"), ("beta", "2.0.0-rc.1")]);
}

fn beta_and_bump(stage: &mut Stage) {
    stage.want("api", "1.1.0", &[("live", "1.1.0"), ("beta", "2.0.0-rc.2")]);
}

fn two_aliases(stage: &mut Stage) {
    let aliases = [("live", "1.1.0"), ("green", "1.1.0"), ("beta", "2.0.0-rc.1")];
    stage.want("api", "1.0.0", &aliases);
}

fn swap(stage: &mut Stage) {
    stage.want("api", "2.0.0-rc.1", &[("live", "2.0.0-rc.1"), ("beta", "1.0.0")]);
}

fn revert(stage: &mut Stage) {
    stage.want("api", "1.0.0", &[("live", "1.0.0")]);
}

fn revert_with_new_configuration(stage: &mut Stage) {
    revert(stage);
    let input = json!({ "FunctionName": "api", "Timeout": 9 });
    stage.aws.call("UpdateFunctionConfiguration", input).unwrap();
}

fn latest_edited(stage: &mut Stage) {
    stage.aws.update_code("api", &Code::zip(zip("hotfix"))).unwrap();
}

fn alias_moved(stage: &mut Stage) {
    latest_edited(stage);
    let hotfix = stage.aws.publish("api").unwrap();
    stage.aws.update_alias("api", "live", hotfix, None).unwrap();
}

fn weights(stage: &mut Stage) {
    latest_edited(stage);
    let hotfix = stage.aws.publish("api").unwrap();
    stage.aws.update_alias("api", "live", 1, Some((hotfix, 0.25))).unwrap();
}

fn alias_missing(stage: &mut Stage) {
    let input = json!({ "FunctionName": "api", "Name": "live" });
    stage.aws.call("DeleteAlias", input).unwrap();
}

fn alias_on_latest(stage: &mut Stage) {
    bump(stage);
    let input = json!({ "FunctionName": "api", "Name": "live", "FunctionVersion": "$LATEST" });
    stage.aws.call("UpdateAlias", input).unwrap();
}

fn update_failed(stage: &mut Stage) {
    bump(stage);
    let failing = stage
        .aws
        .clone()
        .failing("SubnetOutOfIPAddresses", "no address is left");
    failing
        .update_code("api", &Code::s3("artifacts", "api/1.1.0.zip"))
        .unwrap();
}

fn update_in_progress(stage: &mut Stage) {
    bump(stage);
    let lasting = stage.aws.clone().lasting(Duration::from_secs(7));
    lasting.update_code("api", &Code::zip(zip("hotfix"))).unwrap();
}

fn first_deployment(stage: &mut Stage) {
    stage.want("api", "1.0.0", &[("live", "1.0.0"), ("beta", "1.0.0")]);
}

fn two_functions(stage: &mut Stage) {
    bump(stage);
    stage.want("worker", "1.0.0", &[("live", "1.0.0"), ("beta", "2.0.0-rc.1")]);
}
