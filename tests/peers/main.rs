//! The daemon's scenarios in a form that needs nothing but an endpoint: set up and read back through the AWS SDKs, so that
//! they hold on any Lambda and S3, ours or not.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `PINFOLD_TEST_ENDPOINT` | where Lambda and S3 answer; `aws` for AWS itself; unset: a sandbox in this process for each test, with AWS's latency and quotas, a hundred times as fast |
//! | `PINFOLD_TEST_PEER` | what answers there: `sandbox`, `ministack`, `localstack`; anything else is held to AWS's behaviour |
//! | `PINFOLD_TEST_REGION` | the Region; `us-east-1` |
//! | `PINFOLD_TEST_ROLE_ARN` | the execution role of the functions, which AWS itself wants to exist |
//!
//! Everything that is made has a name that begins with `pinfold-peers-`, is unlike that of any other run, and is deleted
//! when its test ends, passed or failed. Pinfold is let at nothing else: its target's glob is the test's own name.
//!
//! Where a peer departs from AWS so far that a part of a scenario cannot hold, standard error says so, by scenario and by
//! the fact that it breaks (`departs: ...`), and the rest of the scenario is held all the same. See `departures`.

#[cfg(test)]
mod artifacts;
#[cfg(test)]
mod departures;
#[cfg(test)]
mod drift;
#[cfg(test)]
mod hands;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod races;
#[cfg(test)]
mod revert;
#[cfg(test)]
mod story;
#[cfg(test)]
mod wiring;
#[cfg(test)]
mod withheld;
#[cfg(test)]
mod world;
