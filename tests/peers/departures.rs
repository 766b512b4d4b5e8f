//! Where a peer departs from AWS so far that a scenario cannot hold whole: which peer, in what, and a probe for each, which
//! fails where the table says something else than the peer does.

use aws_sdk_lambda::error::ProvideErrorMetadata as _;

use crate::hands::{Hands, sha};
use crate::peer::Name;
use crate::world::{World, scenario};

/// Something that a peer does and AWS does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fact {
    PublishIgnoresItsHash,
    UpdateAliasFailsOnWeights,
}

/// All that some peer does.
const FACTS: [Fact; 2] = [Fact::PublishIgnoresItsHash, Fact::UpdateAliasFailsOnWeights];

/// Who does what.
const DEPARTURES: [(Name, Fact); 2] = [
    (Name::MiniStack, Fact::PublishIgnoresItsHash),
    (Name::LocalStack, Fact::UpdateAliasFailsOnWeights),
];

impl Fact {
    const fn words(self) -> &'static str {
        match self {
            Self::PublishIgnoresItsHash => {
                "PublishVersion ignores CodeSha256: code that somebody uploaded meanwhile is published, not refused"
            }
            Self::UpdateAliasFailsOnWeights => {
                "UpdateAlias with weights ends with 500: they are set by CreateAlias, and only ever cleared"
            }
        }
    }

    /// Finds out whether the peer does it. The function is at rest, with version 1 behind `live`.
    async fn probe(self, world: &World) -> bool {
        match self {
            Self::PublishIgnoresItsHash => {
                world.hands.update_code(&world.function, "probe").await;
                let call = world.hands.lambda.publish_version().function_name(&world.function);
                let published = call.code_sha256(sha("1.0.0")).send().await;
                match published {
                    Ok(_) => true,
                    Err(error) => {
                        assert_eq!(error.code(), Some("InvalidParameterValueException"), "{error:?}");
                        false
                    }
                }
            }
            Self::UpdateAliasFailsOnWeights => {
                world.hands.update_code(&world.function, "probe").await;
                let second = world.hands.publish(&world.function).await;
                let shift = world.hands.shift(&world.function, "live", &second);
                let shift = shift.customize().config_override(Hands::once()).send().await;
                match shift {
                    Ok(_) => false,
                    Err(error) => {
                        let status = error.raw_response().map(|response| response.status().as_u16());
                        assert_eq!(status, Some(500), "{error:?}");
                        true
                    }
                }
            }
        }
    }
}

impl World {
    /// Returns whether the peer does what AWS does not, and says so.
    pub(crate) fn departs(&self, fact: Fact) -> bool {
        let peer = self.hands.peer.name;
        let departs = DEPARTURES.contains(&(peer, fact));
        if departs {
            self.tell(&format!("departs: {}: {}", peer.word(), fact.words()));
        }
        departs
    }
}

#[tokio::test]
async fn the_table_says_what_the_peer_does() {
    for fact in FACTS {
        scenario("probe", async |world| {
            let departs = fact.probe(world).await;
            let listed = DEPARTURES.contains(&(world.hands.peer.name, fact));
            assert_eq!(departs, listed, "{}: {}", world.hands.peer.name.word(), fact.words());
        })
        .await;
    }
}
