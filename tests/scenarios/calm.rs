//! Worlds in which nothing is to be done: nothing is written, and no more is read than it takes to know that.

use crate::world::{Setup, World, sha};

#[tokio::test]
async fn where_nothing_changed_nothing_is_written() {
    let world = World::settled().await;
    insta::assert_snapshot!(world.story().await, @r"
    plan: inSync true
      api InSync
    writes: none
    after: as planned
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    ");
}

#[tokio::test]
async fn a_quiet_pass_reads_each_function_once_and_its_versions_never() {
    let world = World::with(Setup {
        functions: &["api", "worker"],
        ..Setup::default()
    })
    .await;
    world.apply().await;
    assert_eq!(
        world.counts(),
        ["GetFunction 2", "HeadObject 2", "ListAliases 2", "ListFunctions 1"]
    );
    world.sandbox.clear_calls();
    world.plan().await;
    assert_eq!(
        world.counts(),
        ["GetFunction 2", "HeadObject 2", "ListAliases 2", "ListFunctions 1"]
    );
}

#[tokio::test]
async fn a_new_process_reads_the_versions_once() {
    let mut world = World::with(Setup {
        functions: &["api", "worker"],
        ..Setup::default()
    })
    .await;
    world.restart().await;
    world.apply().await;
    assert_eq!(
        world.counts(),
        [
            "GetFunction 2",
            "HeadObject 2",
            "ListAliases 2",
            "ListFunctions 1",
            "ListVersionsByFunction 2"
        ]
    );
    world.sandbox.clear_calls();
    world.apply().await;
    assert!(!world.counts().iter().any(|call| call.starts_with("ListVersions")));
}

#[tokio::test]
async fn where_git_pins_what_pinfold_published_s3_is_not_asked() {
    let mut world = World::settled().await;
    world.manifest("api", &format!("version: \"1.0.0\"\nsha256: {}\n", sha("1.0.0")));
    for _ in 0..2 {
        let report = world.apply().await;
        assert_eq!(world.told(&report), "inSync true\n  api InSync");
        assert_eq!(world.counts(), ["GetFunction 1", "ListAliases 1", "ListFunctions 1"]);
        world.sandbox.clear_calls();
        world.restart().await;
        world.plan().await;
        world.sandbox.clear_calls();
    }
}

#[tokio::test]
async fn a_function_whose_file_is_removed_becomes_unmanaged_and_stays_as_it_is() {
    let mut world = World::with(Setup {
        functions: &["api", "worker"],
        ..Setup::default()
    })
    .await;
    world.remove("prod/worker.yaml");
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync true
      api InSync
      unmanaged {"function":"worker","target":"prod"}
    writes: none
    after: as planned
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
      worker
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    "#);
}

#[tokio::test]
async fn what_git_never_named_is_told_and_left_alone() {
    let mut world = World::settled().await;
    world.create("stranger");
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync true
      api InSync
      unmanaged {"function":"stranger","target":"prod"}
    writes: none
    after: as planned
    live:
      api
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
      stranger
        $LATEST sha:placeholder
    "#);
}
