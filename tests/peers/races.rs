//! Somebody lays hands on the function in the instant before a write of Pinfold's: the write's guard refuses, and the pass
//! looks again. Nothing of somebody's is overrun unseen, and nothing of theirs is published as ours.

use aws_sdk_lambda::types::LastUpdateStatus;

use crate::departures::Fact;
use crate::wiring::Before;
use crate::world::scenario;

/// Updates that are begun until one lasts longer than a plan: some last a twentieth of a second only.
const TRIES: usize = 20;

#[tokio::test]
async fn code_that_somebody_uploads_meanwhile_is_seen_and_replaced() {
    scenario("race-upload", async |world| {
        world.version("1.1.0");
        world.meddle(Before::UpdateCode, async |hands, function| {
            hands.update_code(&function, "hotfix").await;
        });
        insta::assert_snapshot!(world.pass().await, @r"
        after: inSync true
          api InSync
            step UpdateCode 1.1.0 (sha:1.1.0) of object:1.1.0: refused
            step AwaitUpdated sha:1.1.0: skipped
            step PublishVersion sha:1.1.0 as -: skipped
            step MoveAlias live 1 to -: skipped
            step UpdateCode 1.1.0 (sha:1.1.0) of object:1.1.0: done
            step AwaitUpdated sha:1.1.0: done
            step PublishVersion sha:1.1.0 as 2: done
            step MoveAlias live 1 to 2: done
        live:
          $LATEST sha:1.1.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
          live -> 2
        ");
    })
    .await;
}

#[tokio::test]
async fn code_that_somebody_uploads_before_the_publication_is_not_published_as_ours() {
    scenario("race-publish", async |world| {
        world.name_hash("hotfix");
        world.version("1.1.0");
        world.meddle(Before::Publish, async |hands, function| {
            hands.update_code(&function, "hotfix").await;
        });
        if world.departs(Fact::PublishIgnoresItsHash) {
            // The hotfix was published under our description, so the pass ends there, and the alias never runs it.
            let report = world.apply().await;
            insta::assert_snapshot!(world.told(&report), @r"
            inSync false
              api Failed
                drift code $LATEST: 1.1.0 (sha:1.1.0), live $LATEST (sha:hotfix)
                drift alias live: 1.1.0 (sha:1.1.0), live 1 (sha:1.0.0)
                step UpdateCode 1.1.0 (sha:1.1.0) of object:1.1.0: done
                step AwaitUpdated sha:1.1.0: done
                step PublishVersion sha:1.1.0 as -: failed
                step MoveAlias live 1 to -: skipped
            ");
            insta::assert_snapshot!(world.live().await, @r"
            $LATEST sha:hotfix
            1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
            2 sha:hotfix pinfold 1.1.0 sha256:sha:1.1.0
            live -> 1
            ");
            insta::assert_snapshot!(world.pass().await, @r"
            after: inSync true
              api InSync
                step UpdateCode 1.1.0 (sha:1.1.0) of object:1.1.0: done
                step AwaitUpdated sha:1.1.0: done
                step PublishVersion sha:1.1.0 as 3: done
                step MoveAlias live 1 to 3: done
            live:
              $LATEST sha:1.1.0
              1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
              2 sha:hotfix pinfold 1.1.0 sha256:sha:1.1.0
              3 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
              live -> 3
            ");
            return;
        }
        insta::assert_snapshot!(world.pass().await, @r"
        after: inSync true
          api InSync
            step UpdateCode 1.1.0 (sha:1.1.0) of object:1.1.0: done
            step AwaitUpdated sha:1.1.0: done
            step PublishVersion sha:1.1.0 as -: refused
            step MoveAlias live 1 to -: skipped
            step UpdateCode 1.1.0 (sha:1.1.0) of object:1.1.0: done
            step AwaitUpdated sha:1.1.0: done
            step PublishVersion sha:1.1.0 as 2: done
            step MoveAlias live 1 to 2: done
        live:
          $LATEST sha:1.1.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
          live -> 2
        ");
    })
    .await;
}

#[tokio::test]
async fn an_alias_that_somebody_moves_meanwhile_is_not_overrun_unseen() {
    scenario("race-alias", async |world| {
        world.release().await;
        world.version("1.0.0");
        world.meddle(Before::MoveAlias, async |hands, function| {
            hands.move_alias(&function, "live", "2").await;
        });
        insta::assert_snapshot!(world.pass().await, @r"
        after: inSync true
          api InSync
            step MoveAlias live 2 to 1: refused
            step UpdateCode 1.0.0 (sha:1.0.0) of object:1.0.0: done
            step AwaitUpdated sha:1.0.0: done
            step MoveAlias live 2 to 1: done
        live:
          $LATEST sha:1.0.0
          1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
          2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
          live -> 1
        ");
    })
    .await;
}

#[tokio::test]
async fn an_update_of_somebody_that_is_in_progress_is_left_to_its_end() {
    scenario("race-progress", async |world| {
        world.name_hash("hotfix");
        for _ in 0..TRIES {
            world.hands.begin_update(&world.function, "hotfix").await;
            let report = world.plan().await;
            let since = world.hands.latest(&world.function).await.last_update_status;
            world.hands.wait(&world.function).await;
            // Only where it is in progress after the plan, too, is it known that the plan has seen that.
            if since == Some(LastUpdateStatus::InProgress) {
                insta::assert_snapshot!(world.told(&report), @r"
                inSync false
                  api Progressing
                    drift code $LATEST: 1.0.0 (sha:1.0.0), live $LATEST (sha:hotfix)
                    withheld - UpdateInProgress
                ");
                world.settle().await;
                return;
            }
            world.settle().await;
        }
        panic!("in {TRIES} tries no update was long enough in progress for a plan");
    })
    .await;
}
