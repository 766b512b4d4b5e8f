//! More than fits into one page of an answer: functions, versions, aliases.

use pinfold::sandbox::{Code, NewFunction};

use crate::world::{World, zip};

#[tokio::test]
async fn unmanaged_functions_are_told_however_many_there_are() {
    let world = World::settled().await;
    for number in 0..120 {
        let function = NewFunction::new(&format!("stranger-{number}"), Code::zip(zip("x")));
        world.aws.create_function(function).unwrap();
    }
    let json = world.plan().await.to_json();
    assert_eq!(json["unmanaged"].as_array().unwrap().len(), 120);
    assert!(
        world.counts().contains(&"ListFunctions 3".to_owned()),
        "{:?}",
        world.counts()
    );
}

#[tokio::test]
async fn a_version_is_found_again_however_many_there_are() {
    let mut world = World::settled().await;
    for number in 0..60 {
        world
            .aws
            .update_code("api", &Code::zip(zip(&format!("by hand {number}"))))
            .unwrap();
        world.aws.publish("api").unwrap();
    }
    world.function("api", "1.1.0");
    world.settle().await;
    world.aws.update_alias("api", "live", 7, None).unwrap();
    world.apply().await;
    assert_eq!(world.aws.alias("api", "live").unwrap()["FunctionVersion"], "62");
    assert_eq!(world.writes().len(), 1);
}

#[tokio::test]
async fn an_alias_is_found_however_many_there_are() {
    let mut world = World::settled().await;
    for number in 0..60 {
        world.aws.create_alias("api", &format!("by-hand-{number}"), 1).unwrap();
    }
    world.mark();
    assert_eq!(world.told(&world.apply().await), "inSync true\n  api InSync");
    assert_eq!(world.writes(), []);
}
