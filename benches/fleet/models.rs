//! Models of what other tools call for the same work, as their sources say. They are no measurements of those tools.

use serde_json::json;

use crate::world::World;

/// Functions that a deployment is modelled with.
const DEPLOYED: usize = 5;

/// A sequence of calls.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Model {
    /// PipeCD 0.57, reading live state: the list, then each function, one after the other.
    PipecdSweep,
    /// lambroll 1.5 `diff`: GetFunction and ListTags a function.
    LambrollDiff,
    /// lambroll 1.5 `deploy --skip-archive --skip-configuration`: five calls, without the waits for its back-off.
    LambrollDeploy,
}

pub(crate) fn all() -> [Model; 3] {
    [Model::PipecdSweep, Model::LambrollDiff, Model::LambrollDeploy]
}

impl Model {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PipecdSweep => "model of PipeCD: a sweep, which sees neither code nor aliases",
            Self::LambrollDiff => "model of lambroll: diff",
            Self::LambrollDeploy => "model of lambroll: deploy",
        }
    }

    /// Makes the calls. Returns for how many functions.
    pub(crate) async fn run(self, world: &World) -> usize {
        let lambda = world.lambda();
        let some = DEPLOYED.min(world.functions());
        match self {
            Self::PipecdSweep => {
                let mut pages = lambda.list_functions().into_paginator().send();
                while pages.next().await.transpose().unwrap().is_some() {}
                for function in 0..world.functions() {
                    lambda
                        .get_function()
                        .function_name(World::name(function))
                        .send()
                        .await
                        .unwrap();
                }
                world.functions()
            }
            Self::LambrollDiff => {
                for function in 0..some {
                    let name = World::name(function);
                    let found = lambda.get_function().function_name(&name).send().await.unwrap();
                    let arn = found.configuration().unwrap().function_arn().unwrap();
                    lambda.list_tags().resource(arn).send().await.unwrap();
                }
                some
            }
            Self::LambrollDeploy => {
                for function in 0..some {
                    let name = World::name(function);
                    let get = || lambda.get_function().function_name(&name);
                    get().send().await.unwrap();
                    get().send().await.unwrap();
                    let updated = lambda
                        .update_function_code()
                        .function_name(&name)
                        .s3_bucket(World::BUCKET)
                        .s3_key(World::key(function, "1.0.0"))
                        .publish(true)
                        .send()
                        .await
                        .unwrap();
                    let version = updated.version().unwrap().to_owned();
                    while world.in_progress(function) {
                        get().send().await.unwrap();
                    }
                    lambda
                        .update_alias()
                        .function_name(&name)
                        .name("live")
                        .function_version(version)
                        .send()
                        .await
                        .unwrap();
                }
                some
            }
        }
    }
}

impl World {
    /// Returns whether an update of a function is in progress.
    fn in_progress(&self, function: usize) -> bool {
        let input = json!({ "FunctionName": Self::name(function) });
        let found = self.aws().call("GetFunction", input).unwrap();
        found["Configuration"]["LastUpdateStatus"] == "InProgress"
    }
}
