//! What the demo's sandbox holds before Pinfold looks: artifacts, functions, and how each has strayed from Git.

use sha2::{Digest as _, Sha256};

use super::super::exit::Failure;
use crate::domain::{CodeSha256, Publication};
use crate::sandbox::{Code, LambdaError, NewFunction, Place, Sandbox, package};

/// The example's targets and their Regions.
pub(super) const TARGETS: [(&str, &str); 2] = [("prod", PROD), ("staging", STAGING)];

const PROD: &str = "us-east-1";
const STAGING: &str = "eu-west-1";

/// Every artifact that was ever built.
const ARTIFACTS: [(&str, &[&str]); 8] = [
    ("checkout-api", &["1.4.2", "1.5.0", "1.5.1", "1.6.0-rc.1"]),
    ("checkout-worker", &["1.4.2", "1.5.0", "1.5.1"]),
    ("image-resizer", &["1.1.0", "1.2.0"]),
    ("notifications-mailer", &["3.0.2", "3.1.0"]),
    ("orders-events", &["4.11.0", "4.12.0", "4.13.0"]),
    ("orders-export", &["0.9.4"]),
    ("payments-webhook", &["2.3.0", "2.3.1", "2.4.0-rc.2"]),
    ("search-indexer", &["2.0.0", "2.1.0"]),
];

/// A function as it was deployed: the artifacts that were published, in order; the last is in `$LATEST`.
struct Deployed {
    region: &'static str,
    function: &'static str,
    published: &'static [&'static str],
    /// The version that `live` runs, from 1; `None` where there is no alias.
    live: Option<u64>,
    strayed: Strayed,
    /// The same for people; empty where live still equals Git.
    story: &'static str,
}

/// What happened since.
enum Strayed {
    /// Nothing, or Git has moved on.
    No,
    /// Somebody uploaded code by hand.
    HandEdited,
    /// Somebody moved `live` by hand to this version.
    MovedTo(u64),
    /// Somebody tried this version out on a share of the calls, and forgot about it.
    Weights(u64, f64),
}

const FUNCTIONS: [Deployed; 11] = [
    Deployed {
        region: PROD,
        function: "checkout-api",
        published: &["1.4.2", "1.5.0"],
        live: Some(2),
        strayed: Strayed::No,
        story: "Git names an alias `beta` on a release candidate; nobody has created it",
    },
    Deployed {
        region: PROD,
        function: "checkout-worker",
        published: &["1.4.2", "1.5.0"],
        live: Some(2),
        strayed: Strayed::MovedTo(1),
        story: "somebody moved `live` back to version 1 by hand",
    },
    Deployed {
        region: PROD,
        function: "image-resizer",
        published: &["1.1.0"],
        live: None,
        strayed: Strayed::HandEdited,
        story: "somebody edited the code of $LATEST in the console",
    },
    Deployed {
        region: PROD,
        function: "notifications-mailer",
        published: &["3.0.2"],
        live: Some(1),
        strayed: Strayed::No,
        story: "",
    },
    Deployed {
        region: PROD,
        function: "orders-events",
        published: &["4.11.0", "4.12.0"],
        live: Some(2),
        strayed: Strayed::Weights(1, 0.1),
        story: "somebody left 10% of the calls of `live` on an old version",
    },
    Deployed {
        region: PROD,
        function: "orders-export",
        published: &["0.9.4"],
        live: Some(1),
        strayed: Strayed::No,
        story: "",
    },
    Deployed {
        region: PROD,
        function: "payments-webhook",
        published: &["2.3.0"],
        live: Some(1),
        strayed: Strayed::No,
        story: "Git bumped the version, with a pinned hash",
    },
    Deployed {
        region: PROD,
        function: "search-indexer",
        published: &["2.0.0"],
        live: Some(1),
        strayed: Strayed::No,
        story: "",
    },
    Deployed {
        region: STAGING,
        function: "checkout-api",
        published: &["1.5.0"],
        live: Some(1),
        strayed: Strayed::No,
        story: "Git bumped the version",
    },
    Deployed {
        region: STAGING,
        function: "notifications-mailer",
        published: &["3.0.2", "3.1.0"],
        live: Some(2),
        strayed: Strayed::No,
        story: "Git reverted 3.1.0; 3.0.2 is still published as version 1",
    },
    Deployed {
        region: STAGING,
        function: "payments-webhook",
        published: &["2.4.0-rc.2"],
        live: Some(1),
        strayed: Strayed::No,
        story: "",
    },
];

/// What only S3 can say of the objects.
pub(super) struct Objects {
    /// The object version of the artifact that the example pins.
    pub(super) pinned_object_version: String,
}

/// Tells what happened to each function that strayed.
pub(super) fn story() -> String {
    let strayed = FUNCTIONS.iter().filter(|deployed| !deployed.story.is_empty());
    strayed
        .map(|deployed| {
            let target = TARGETS
                .iter()
                .find(|(_, region)| *region == deployed.region)
                .map_or("", |(name, _)| name);
            format!(
                "  {:<28} {}\n",
                format!("{target}/{}", deployed.function),
                deployed.story
            )
        })
        .collect()
}

/// Returns the versions of a function that are uploaded.
#[cfg(test)]
pub(super) fn versions(function: &str) -> &'static [&'static str] {
    ARTIFACTS
        .iter()
        .find(|(name, _)| *name == function)
        .map_or(&[], |(_, versions)| versions)
}

/// Returns the zip of an artifact: the same bytes every time.
fn artifact(function: &str, version: &str) -> bytes::Bytes {
    let code = format!("export const handler = async () => ({{ function: '{function}', version: '{version}' }});\n");
    package([("index.mjs", code)])
}

/// Returns the hash of an artifact.
pub(super) fn hash(function: &str, version: &str) -> CodeSha256 {
    CodeSha256::from_bytes(Sha256::digest(artifact(function, version)).into())
}

/// Uploads the artifacts, deploys the functions and lets them stray.
pub(super) fn fill(sandbox: &Sandbox) -> Result<Objects, Failure> {
    let mut pinned_object_version = String::new();
    for region in [PROD, STAGING] {
        let bucket = bucket(region);
        sandbox.create_bucket(&bucket, region, true)?;
        for (function, versions) in ARTIFACTS {
            for version in versions {
                let key = format!("{function}/{version}.zip");
                let id = sandbox.put_object(&bucket, &key, artifact(function, version), true)?;
                if (region, function, *version) == (PROD, "payments-webhook", "2.3.1") {
                    pinned_object_version = id.unwrap_or_default();
                }
            }
        }
    }
    for deployed in &FUNCTIONS {
        deploy(&sandbox.place(deployed.region), deployed)?;
    }
    sandbox.place(PROD).create_function(NewFunction::new(
        "legacy-report",
        Code::zip(artifact("legacy-report", "1")),
    ))?;
    Ok(Objects { pinned_object_version })
}

fn bucket(region: &str) -> String {
    format!("acme-artifacts-{region}")
}

fn deploy(place: &Place, deployed: &Deployed) -> Result<(), Failure> {
    let Deployed {
        region,
        function,
        published,
        live,
        strayed,
        ..
    } = deployed;
    let code = |version: &str| Code::s3(&bucket(region), &format!("{function}/{version}.zip"));
    for (index, version) in published.iter().enumerate() {
        if index == 0 {
            place.create_function(NewFunction::new(function, code(version)))?;
        } else {
            place.update_code(function, &code(version))?;
        }
        place.publish_described(function, &description(function, version)?)?;
    }
    if let Some(live) = live {
        place.create_alias(function, "live", *live)?;
    }
    stray(place, deployed, strayed)?;
    Ok(())
}

fn stray(place: &Place, deployed: &Deployed, strayed: &Strayed) -> Result<(), LambdaError> {
    let Deployed { function, live, .. } = deployed;
    match strayed {
        Strayed::No => Ok(()),
        Strayed::HandEdited => place
            .update_code(function, &Code::zip(artifact(function, "edited in the console")))
            .map(drop),
        Strayed::MovedTo(version) => place.update_alias(function, "live", *version, None).map(drop),
        Strayed::Weights(version, weight) => place
            .update_alias(function, "live", live.unwrap_or(1), Some((*version, *weight)))
            .map(drop),
    }
}

/// Describes a version as Pinfold would have when it published it.
fn description(function: &str, version: &str) -> Result<String, Failure> {
    let publication = Publication {
        version: version.parse()?,
        sha256: hash(function, version),
        commit: None,
    };
    Ok(publication.to_string())
}
