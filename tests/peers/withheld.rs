//! Work that must not be done: it is reported with its reason, and nothing is written.

use pinfold::domain::Mode;

use crate::hands::sha;
use crate::world::{scenario, scenario_without_object_versions};

#[tokio::test]
async fn a_function_that_does_not_exist_is_not_created() {
    scenario("missing", async |world| {
        let ghost = format!("{}ghost", world.prefix);
        world.manifest_of(&ghost, "version: \"1.0.0\"\n");
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api InSync
          ghost Withheld
            drift missing -: 1.0.0 (-), live nothing
            withheld - FunctionMissing
        after: as planned
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          live -> 1
        ");
        let found = world.hands.lambda.get_function().function_name(&ghost).send().await;
        assert!(found.is_err_and(|error| error.into_service_error().is_resource_not_found_exception()));
    })
    .await;
}

#[tokio::test]
async fn a_version_whose_artifact_is_missing_waits_for_it() {
    scenario("no-artifact", async |world| {
        world.version("9.9.9");
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Withheld
            withheld live ArtifactNotFound
            withheld $LATEST ArtifactNotFound
        after: as planned
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          live -> 1
        ");
        world.upload("9.9.9", "9.9.9").await;
        world.settle().await;
    })
    .await;
}

#[tokio::test]
async fn a_bump_that_forgot_its_pin_is_not_taken_for_in_sync() {
    scenario("pin-mismatch", async |world| {
        world.manifest(&format!("version: \"1.1.0\"\nsha256: {}\n", sha("1.0.0")));
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Withheld
            withheld live ArtifactMismatch
            withheld $LATEST ArtifactMismatch
        after: as planned
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          live -> 1
        ");
    })
    .await;
}

#[tokio::test]
async fn an_artifact_overwritten_under_a_published_version_waits_for_a_pin() {
    scenario_without_object_versions("overwritten", async |world| {
        world.upload("1.0.0", "rebuilt").await;
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Withheld
            withheld live ArtifactChanged
            withheld $LATEST ArtifactChanged
        after: as planned
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          live -> 1
        ");
        world.manifest(&format!("version: \"1.0.0\"\nsha256: {}\n", sha("rebuilt")));
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift code $LATEST: 1.0.0 (sha:rebuilt), live $LATEST (sha:1.0.0)
            drift alias live: 1.0.0 (sha:rebuilt), live 1 (sha:1.0.0)
            step UpdateCode 1.0.0 (sha:rebuilt) of -: planned
            step AwaitUpdated sha:rebuilt: planned
            step PublishVersion sha:rebuilt as -: planned
            step MoveAlias live 1 to -: planned
        after: inSync true
          api InSync
            step UpdateCode 1.0.0 (sha:rebuilt) of -: done
            step AwaitUpdated sha:rebuilt: done
            step PublishVersion sha:rebuilt as 2: done
            step MoveAlias live 1 to 2: done
        live:
          $LATEST sha:rebuilt
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          2 sha:rebuilt pinfold 1.0.0 sha256:sha:rebuilt
          live -> 2
        ");
    })
    .await;
}

#[tokio::test]
async fn a_suspended_function_is_left_alone_until_its_time_is_over() {
    scenario("suspended", async |world| {
        let until =
            |year: u16| format!("version: \"1.1.0\"\nsuspend: {{ reason: a test, until: {year}-01-01T00:00:00Z }}\n");
        world.manifest(&until(9999));
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Suspended
            drift code $LATEST: 1.1.0 (sha:1.1.0), live $LATEST (sha:1.0.0)
            drift alias live: 1.1.0 (sha:1.1.0), live 1 (sha:1.0.0)
            withheld - Suspended
        after: as planned
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          live -> 1
        ");
        world.manifest(&until(2001));
        world.settle().await;
    })
    .await;
}

#[tokio::test]
async fn a_function_in_observe_mode_is_only_looked_at() {
    scenario("observe", async |world| {
        world.manifest("version: \"1.1.0\"\nmode: observe\n");
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift code $LATEST: 1.1.0 (sha:1.1.0), live $LATEST (sha:1.0.0)
            drift alias live: 1.1.0 (sha:1.1.0), live 1 (sha:1.0.0)
            withheld - ObserveOnly
        after: as planned
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          live -> 1
        ");
    })
    .await;
}

#[tokio::test]
async fn a_configuration_that_observes_is_not_lifted_by_git() {
    scenario("observe-all", async |world| {
        world.policy.mode = Mode::Observe;
        world.manifest("version: \"1.1.0\"\nmode: reconcile\n");
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync false
          api Drifted
            drift code $LATEST: 1.1.0 (sha:1.1.0), live $LATEST (sha:1.0.0)
            drift alias live: 1.1.0 (sha:1.1.0), live 1 (sha:1.0.0)
            withheld - ObserveOnly
        after: as planned
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          live -> 1
        ");
    })
    .await;
}

#[tokio::test]
async fn what_git_never_named_is_told_and_left_alone() {
    scenario("unmanaged", async |world| {
        let stranger = format!("{}stranger", world.prefix);
        world.create(&stranger).await;
        let before = world.hands.latest(&stranger).await;
        insta::assert_snapshot!(world.story().await, @r"
        plan: inSync true
          api InSync
          unmanaged stranger
        after: as planned
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          live -> 1
        ");
        assert_eq!(world.hands.latest(&stranger).await.revision_id, before.revision_id);
        assert_eq!(world.hands.versions(&stranger).await.len(), 1);
    })
    .await;
}
