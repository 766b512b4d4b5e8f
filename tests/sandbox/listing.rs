//! `ListVersionsByFunction` and `ListFunctions`: order, pages, and that they agree with `GetFunction`.

use crate::world::World;

#[tokio::test]
async fn versions_come_in_numeric_order_after_latest() {
    let world = World::new().await;
    world.function("0").await;
    for number in 1..=11 {
        world.release(&number.to_string()).await;
    }
    let mut expected = vec!["$LATEST".to_owned()];
    expected.extend((1..=11).map(|number| number.to_string()));
    assert_eq!(world.versions().await, expected);
}

#[tokio::test]
async fn versions_come_in_pages() {
    let world = World::new().await;
    world.function("0").await;
    for number in 1..=5 {
        world.release(&number.to_string()).await;
    }
    let (mut marker, mut numbers, mut sizes) = (None, Vec::new(), Vec::new());
    loop {
        let page = world
            .lambda
            .list_versions_by_function()
            .function_name("f")
            .max_items(3)
            .set_marker(marker)
            .send()
            .await
            .unwrap();
        sizes.push(page.versions().len());
        numbers.extend(
            page.versions()
                .iter()
                .filter_map(|version| version.version().map(str::to_owned)),
        );
        marker = page.next_marker().map(str::to_owned);
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(sizes, [3, 3]);
    assert_eq!(numbers, world.versions().await);
}

#[tokio::test]
async fn listed_versions_agree_with_get_function() {
    let world = World::new().await;
    world.function("0").await;
    world.publish().await;
    world.release("1").await;
    let listed = world
        .lambda
        .list_versions_by_function()
        .function_name("f")
        .send()
        .await
        .unwrap();
    assert_eq!(listed.versions().len(), 3);
    for entry in listed.versions() {
        let shown = world.get(entry.version()).await;
        assert_eq!(entry.code_sha256(), shown.code_sha256());
        assert_eq!(entry.last_modified(), shown.last_modified());
        assert_eq!(entry.revision_id(), shown.revision_id());
        assert_eq!(entry.function_arn(), shown.function_arn());
    }
}

#[tokio::test]
async fn listed_functions_agree_with_get_function_and_have_no_states() {
    let world = World::new().await;
    world.function("0").await;
    world.publish().await;
    let listed = world.lambda.list_functions().send().await.unwrap();
    let (entry, shown) = (&listed.functions()[0], world.get(None).await);
    assert_eq!(entry.version(), Some("$LATEST"));
    assert_eq!(entry.code_sha256(), shown.code_sha256());
    assert_eq!(entry.last_modified(), shown.last_modified());
    assert_eq!(entry.revision_id(), shown.revision_id());
    assert_eq!(entry.function_arn(), shown.function_arn());
    assert_eq!((entry.state(), entry.last_update_status()), (None, None));
    assert!(entry.runtime_version_config().is_none());
}

#[tokio::test]
async fn walking_list_functions_finds_every_function_once() {
    let world = World::new().await;
    let names: Vec<String> = (0..5).map(|number| format!("function-{number}")).collect();
    for name in &names {
        world.create(name, "1", false).await;
    }
    let (mut marker, mut found, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = world
            .lambda
            .list_functions()
            .max_items(2)
            .set_marker(marker)
            .send()
            .await
            .unwrap();
        found.extend(
            page.functions()
                .iter()
                .filter_map(|function| function.function_name().map(str::to_owned)),
        );
        marker = page.next_marker().map(str::to_owned);
        pages += 1;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(found, names);
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn a_page_of_functions_holds_50_at_most_and_all_has_an_entry_a_version() {
    let world = World::new().await;
    let aws = world.sandbox.place("us-east-1");
    for number in 0..30 {
        let name = format!("function-{number:02}");
        let code = pinfold::sandbox::Code::zip(crate::world::zip("1"));
        aws.create_function(pinfold::sandbox::NewFunction::new(&name, code))
            .unwrap();
        aws.publish(&name).unwrap();
    }
    let all = || {
        world
            .lambda
            .list_functions()
            .function_version(aws_sdk_lambda::types::FunctionVersion::All)
    };
    let page = all().max_items(1000).send().await.unwrap();
    assert_eq!(page.functions().len(), 50);
    let rest = all().marker(page.next_marker().unwrap()).send().await.unwrap();
    assert_eq!((rest.functions().len(), rest.next_marker()), (10, None));
    assert!(
        page.functions()[0]
            .function_arn()
            .unwrap()
            .ends_with("function-00:$LATEST")
    );
    assert_eq!(page.functions()[1].version(), Some("1"));
}
