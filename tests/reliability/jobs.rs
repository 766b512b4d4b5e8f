//! The jobs that Pinfold is for, each as a world at rest and one change to it. What is done about the change is for
//! others to try.

use std::time::Duration;

use pinfold::sandbox::Code;
use serde_json::json;

use crate::stage::{Stage, zip};

/// One job.
pub(crate) struct Job {
    pub(crate) name: &'static str,
    /// Makes the world in which there is something to do.
    make: fn() -> Stage,
}

impl Job {
    /// The world in which the job is to be done, with uploads that stay in progress for `window`.
    pub(crate) fn world(&self, window: Duration) -> Stage {
        let mut stage = (self.make)();
        stage.window = window;
        stage
    }
}

/// Every job.
pub(crate) const JOBS: [Job; 16] = [
    Job {
        name: "bump",
        make: bump,
    },
    Job {
        name: "beta candidate",
        make: beta_candidate,
    },
    Job {
        name: "beta and bump",
        make: beta_and_bump,
    },
    Job {
        name: "two aliases",
        make: two_aliases,
    },
    Job {
        name: "swap",
        make: swap,
    },
    Job {
        name: "revert",
        make: revert,
    },
    Job {
        name: "revert with new configuration",
        make: revert_with_new_configuration,
    },
    Job {
        name: "$LATEST edited",
        make: latest_edited,
    },
    Job {
        name: "alias moved",
        make: alias_moved,
    },
    Job {
        name: "weights",
        make: weights,
    },
    Job {
        name: "alias missing",
        make: alias_missing,
    },
    Job {
        name: "alias on $LATEST",
        make: alias_on_latest,
    },
    Job {
        name: "update failed",
        make: update_failed,
    },
    Job {
        name: "update in progress",
        make: update_in_progress,
    },
    Job {
        name: "first deployment",
        make: first_deployment,
    },
    Job {
        name: "two functions",
        make: two_functions,
    },
];

fn api() -> Stage {
    Stage::settled(&["api"])
}

fn released() -> Stage {
    let mut stage = api();
    stage.want("api", "1.1.0", &[("live", "1.1.0")]);
    stage.settle();
    stage
}

fn bump() -> Stage {
    let mut stage = api();
    stage.want("api", "1.1.0", &[("live", "1.1.0")]);
    stage
}

fn beta_candidate() -> Stage {
    let mut stage = api();
    stage.want("api", "1.0.0", &[("live", "1.0.0"), ("beta", "2.0.0-rc.1")]);
    stage
}

fn beta_and_bump() -> Stage {
    let mut stage = beta_candidate();
    stage.settle();
    stage.want("api", "1.1.0", &[("live", "1.1.0"), ("beta", "2.0.0-rc.2")]);
    stage
}

fn two_aliases() -> Stage {
    let mut stage = api();
    let aliases = [("live", "1.1.0"), ("green", "1.1.0"), ("beta", "2.0.0-rc.1")];
    stage.want("api", "1.0.0", &aliases);
    stage
}

fn swap() -> Stage {
    let mut stage = beta_candidate();
    stage.settle();
    stage.want("api", "2.0.0-rc.1", &[("live", "2.0.0-rc.1"), ("beta", "1.0.0")]);
    stage
}

fn revert() -> Stage {
    let mut stage = released();
    stage.want("api", "1.0.0", &[("live", "1.0.0")]);
    stage
}

fn revert_with_new_configuration() -> Stage {
    let stage = revert();
    let input = json!({ "FunctionName": "api", "Timeout": 9 });
    stage.aws.call("UpdateFunctionConfiguration", input).unwrap();
    stage
}

fn latest_edited() -> Stage {
    let stage = api();
    stage.aws.update_code("api", &Code::zip(zip("hotfix"))).unwrap();
    stage
}

fn alias_moved() -> Stage {
    let stage = latest_edited();
    let hotfix = stage.aws.publish("api").unwrap();
    stage.aws.update_alias("api", "live", hotfix, None).unwrap();
    stage
}

fn weights() -> Stage {
    let stage = latest_edited();
    let hotfix = stage.aws.publish("api").unwrap();
    stage.aws.update_alias("api", "live", 1, Some((hotfix, 0.25))).unwrap();
    stage
}

fn alias_missing() -> Stage {
    let stage = api();
    let input = json!({ "FunctionName": "api", "Name": "live" });
    stage.aws.call("DeleteAlias", input).unwrap();
    stage
}

fn alias_on_latest() -> Stage {
    let stage = bump();
    let input = json!({ "FunctionName": "api", "Name": "live", "FunctionVersion": "$LATEST" });
    stage.aws.call("UpdateAlias", input).unwrap();
    stage
}

fn update_failed() -> Stage {
    let stage = bump();
    let failing = stage
        .aws
        .clone()
        .failing("SubnetOutOfIPAddresses", "no address is left");
    failing
        .update_code("api", &Code::s3("artifacts", "api/1.1.0.zip"))
        .unwrap();
    stage
}

fn update_in_progress() -> Stage {
    let stage = bump();
    let lasting = stage.aws.clone().lasting(Duration::from_secs(7));
    lasting.update_code("api", &Code::zip(zip("hotfix"))).unwrap();
    stage
}

fn first_deployment() -> Stage {
    let mut stage = Stage::new(&["api"]);
    stage.want("api", "1.0.0", &[("live", "1.0.0"), ("beta", "1.0.0")]);
    stage
}

fn two_functions() -> Stage {
    let mut stage = Stage::settled(&["api", "worker"]);
    stage.want("api", "1.1.0", &[("live", "1.1.0")]);
    stage.want("worker", "1.0.0", &[("live", "1.0.0"), ("beta", "2.0.0-rc.1")]);
    stage
}
