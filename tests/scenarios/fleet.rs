//! Several functions at once: the trouble of one never stops another.

use pinfold::domain::ChangeLimit;
use pinfold::sandbox::{Effect, Fault};

use crate::world::{Setup, World};

const MANY: &[&str] = &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

#[tokio::test]
async fn an_unreadable_function_does_not_stop_the_others() {
    let mut world = World::with(Setup {
        functions: &["api", "worker"],
        ..Setup::default()
    })
    .await;
    world.function("api", "1.1.0");
    world.function("worker", "1.1.0");
    let denied = Effect::Reply {
        status: 403,
        error_type: None,
        message: Some("not yours".to_owned()),
        retry_after: None,
    };
    world
        .sandbox
        .inject(Fault::on("GetFunction", denied).of("worker").times(0));
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:1.0.0","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"planned","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"planned"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"planned","to":null,"version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"planned","to":null}
      worker Unreadable
        withheld {"alias":null,"message":"GetFunction worker: AccessDeniedException: not yours","reason":"AccessDenied"}
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"}
      PublishVersion api {"CodeSha256":"sha:1.1.0","Description":"pinfold 1.1.0 sha256:sha:1.1.0"}
      UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
    after: inSync false
      api InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"done"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"done","to":"2","version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"done","to":"2"}
      worker Unreadable
        withheld {"alias":null,"message":"GetFunction worker: AccessDeniedException: not yours","reason":"AccessDenied"}
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 2
      worker
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
    "#);
}

#[tokio::test]
async fn functions_are_served_where_they_may_not_be_listed() {
    let mut world = World::settled().await;
    world.create("stranger");
    world.function("api", "1.1.0");
    world.refuse("ListFunctions", 403, 0);
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      api Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:1.0.0","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"planned","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"planned"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"planned","to":null,"version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"planned","to":null}
    writes:
      UpdateFunctionCode api {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"api/1.1.0.zip","S3ObjectVersion":"object:api/1.1.0.zip"}
      PublishVersion api {"CodeSha256":"sha:1.1.0","Description":"pinfold 1.1.0 sha256:sha:1.1.0"}
      UpdateAlias api {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
    after: inSync true
      api InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/api/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:api/1.1.0.zip","result":"done","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"done"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"done","to":"2","version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"done","to":"2"}
    live:
      api
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 2
      stranger
        $LATEST sha:placeholder
    "#);
}

#[tokio::test]
async fn a_target_of_which_nothing_can_be_read_fails_as_a_whole() {
    let world = World::settled().await;
    world.refuse("*", 403, 0);
    insta::assert_snapshot!(world.told(&world.plan().await), @r#"
    inSync false
      api Unreadable
        withheld {"alias":null,"message":"GetFunction api: AccessDeniedException: a fault that was asked for","reason":"AccessDenied"}
      failed {"message":"ListFunctions: AccessDeniedException: a fault that was asked for","target":"prod"}
    "#);
}

#[tokio::test]
async fn five_faulty_manifests_are_told_at_once_and_the_sixth_goes_its_way() {
    let mut world = World::with(Setup {
        functions: &["a", "b", "c", "d", "e", "f"],
        ..Setup::default()
    })
    .await;
    world.manifest("a", "verison: \"1.1.0\"\n");
    world.manifest("b", "version: 1.1\n");
    world.manifest("c", "version: \"1.1.0\"\nversion: \"1.0.0\"\n");
    world.manifest("d", "version: \"1.1.0\"\n---\nversion: \"1.0.0\"\n");
    world.manifest("e", "version: \"1.1.0\"\nsha256: 9f86d0\n");
    world.function("f", "1.1.0");
    insta::assert_snapshot!(world.story().await, @r#"
    plan: inSync false
      a Withheld
        withheld {"alias":null,"message":"prod/a.yaml:4:1: unknown field \"verison\": did you mean version?","reason":"InvalidManifest"}
      b Withheld
        withheld {"alias":null,"message":"prod/b.yaml:4:10: version: this is a number to YAML, not text: write it in quotes, version: \"1.1\"","reason":"InvalidManifest"}
      c Withheld
        withheld {"alias":null,"message":"prod/c.yaml:5:1: \"version\" stands there twice, first in line 4: keep one of the two","reason":"InvalidManifest"}
      d Withheld
        withheld {"alias":null,"message":"prod/d.yaml:6:1: a second YAML document begins here: put one function in each file, and remove the --- line","reason":"InvalidManifest"}
      e Withheld
        withheld {"alias":null,"message":"prod/e.yaml:5:9: sha256: not a SHA-256: use 64 hex digits (as sha256sum prints) or 44 characters of base64 (as CodeSha256 shows)","reason":"InvalidManifest"}
      f Drifted
        drift {"alias":"$LATEST","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"code","live":{"codeSha256":"sha:1.0.0","functionVersion":"$LATEST"}}
        drift {"alias":"live","desired":{"codeSha256":"sha:1.1.0","version":"1.1.0"},"kind":"alias","live":{"codeSha256":"sha:1.0.0","functionVersion":"1"}}
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/f/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:f/1.1.0.zip","result":"planned","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"planned"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"planned","to":null,"version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"planned","to":null}
      fault {"column":1,"file":"prod/a.yaml","line":4,"message":"unknown field \"verison\": did you mean version?"}
      fault {"column":10,"file":"prod/b.yaml","line":4,"message":"version: this is a number to YAML, not text: write it in quotes, version: \"1.1\""}
      fault {"column":1,"file":"prod/c.yaml","line":5,"message":"\"version\" stands there twice, first in line 4: keep one of the two"}
      fault {"column":1,"file":"prod/d.yaml","line":6,"message":"a second YAML document begins here: put one function in each file, and remove the --- line"}
      fault {"column":9,"file":"prod/e.yaml","line":5,"message":"sha256: not a SHA-256: use 64 hex digits (as sha256sum prints) or 44 characters of base64 (as CodeSha256 shows)"}
    writes:
      UpdateFunctionCode f {"Architectures":["x86_64"],"Publish":false,"RevisionId":"$LATEST@start","S3Bucket":"artifacts","S3Key":"f/1.1.0.zip","S3ObjectVersion":"object:f/1.1.0.zip"}
      PublishVersion f {"CodeSha256":"sha:1.1.0","Description":"pinfold 1.1.0 sha256:sha:1.1.0"}
      UpdateAlias f {"FunctionVersion":"2","Name":"live","RevisionId":"live@start","RoutingConfig":{"AdditionalVersionWeights":{}}}
    after: inSync false
      a Withheld
        withheld {"alias":null,"message":"prod/a.yaml:4:1: unknown field \"verison\": did you mean version?","reason":"InvalidManifest"}
      b Withheld
        withheld {"alias":null,"message":"prod/b.yaml:4:10: version: this is a number to YAML, not text: write it in quotes, version: \"1.1\"","reason":"InvalidManifest"}
      c Withheld
        withheld {"alias":null,"message":"prod/c.yaml:5:1: \"version\" stands there twice, first in line 4: keep one of the two","reason":"InvalidManifest"}
      d Withheld
        withheld {"alias":null,"message":"prod/d.yaml:6:1: a second YAML document begins here: put one function in each file, and remove the --- line","reason":"InvalidManifest"}
      e Withheld
        withheld {"alias":null,"message":"prod/e.yaml:5:9: sha256: not a SHA-256: use 64 hex digits (as sha256sum prints) or 44 characters of base64 (as CodeSha256 shows)","reason":"InvalidManifest"}
      f InSync
        step {"action":"UpdateCode","alias":"$LATEST","artifact":"s3://artifacts/f/1.1.0.zip","codeSha256":"sha:1.1.0","objectVersion":"object:f/1.1.0.zip","result":"done","version":"1.1.0"}
        step {"action":"AwaitUpdated","alias":"$LATEST","codeSha256":"sha:1.1.0","result":"done"}
        step {"action":"PublishVersion","codeSha256":"sha:1.1.0","result":"done","to":"2","version":"1.1.0"}
        step {"action":"MoveAlias","alias":"live","from":"1","result":"done","to":"2"}
      fault {"column":1,"file":"prod/a.yaml","line":4,"message":"unknown field \"verison\": did you mean version?"}
      fault {"column":10,"file":"prod/b.yaml","line":4,"message":"version: this is a number to YAML, not text: write it in quotes, version: \"1.1\""}
      fault {"column":1,"file":"prod/c.yaml","line":5,"message":"\"version\" stands there twice, first in line 4: keep one of the two"}
      fault {"column":1,"file":"prod/d.yaml","line":6,"message":"a second YAML document begins here: put one function in each file, and remove the --- line"}
      fault {"column":9,"file":"prod/e.yaml","line":5,"message":"sha256: not a SHA-256: use 64 hex digits (as sha256sum prints) or 44 characters of base64 (as CodeSha256 shows)"}
    live:
      a
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
      b
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
      c
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
      d
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
      e
        $LATEST sha:1.0.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        live -> 1
      f
        $LATEST sha:1.1.0
        1 sha:1.0.0 pinfold 1.0.0 sha256:sha:1.0.0
        2 sha:1.1.0 pinfold 1.1.0 sha256:sha:1.1.0
        live -> 2
    "#);
}

#[tokio::test]
async fn a_pass_that_would_change_too_much_waits_until_it_is_acknowledged() {
    let mut world = World::with(Setup {
        functions: MANY,
        git: true,
        ..Setup::default()
    })
    .await;
    for name in MANY {
        world.function(name, "1.1.0");
    }
    let revision = world.desired().await.revision;
    for report in [world.plan().await, world.apply().await] {
        for function in &report.to_json()["functions"].as_array().unwrap()[..] {
            assert_eq!(function["state"], "Withheld");
            let message = format!(
                "the pass would change 12 of 12 functions, more than limits.maxChangedFunctions (50%) allows: \
                 acknowledge it with `pinfold apply --acknowledge {}`",
                revision.as_ref().unwrap()
            );
            let withheld = function["withheld"].as_array().unwrap();
            assert_eq!(withheld.len(), 1);
            assert_eq!(withheld[0]["alias"], serde_json::Value::Null);
            assert_eq!(withheld[0]["reason"], "TooManyChanges");
            assert_eq!(withheld[0]["message"], message);
            assert_eq!(function["steps"], serde_json::json!([]));
            assert_eq!(function["drift"].as_array().unwrap().len(), 2);
        }
    }
    assert_eq!(world.writes(), []);

    // Another commit's acknowledgement does not count.
    world.policy.acknowledged = Some("0".repeat(40).parse().unwrap());
    world.apply().await;
    assert_eq!(world.writes(), []);

    world.policy.acknowledged = revision;
    assert_eq!(world.apply().await.to_json()["inSync"], true);
    assert_eq!(world.writes().len(), 3 * MANY.len());
    world.policy.acknowledged = None;
    world.sandbox.clear_calls();
    world.apply().await;
    assert_eq!(world.writes(), []);
}

#[tokio::test]
async fn ten_functions_are_never_too_many() {
    let mut world = World::with(Setup {
        functions: MANY,
        ..Setup::default()
    })
    .await;
    world.policy.change_limit = ChangeLimit::Count(1);
    for name in &MANY[..10] {
        world.function(name, "1.1.0");
    }
    assert_eq!(world.apply().await.to_json()["inSync"], true);
}
