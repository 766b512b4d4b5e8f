//! Filling a sandbox from a desired-state repository and a folder of zips.

use std::fs;
use std::path::Path;

use pinfold::sandbox::{Folder, FolderError, Seeded};

use crate::world::{World, sha, zip};

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A repository with two functions, of which one has a second version on `beta`, and the zips of the first.
fn repository(root: &Path) -> Folder {
    write(
        &root.join("repo/defaults.yaml"),
        "apiVersion: pinfold/v1\nkind: Defaults\nartifact: s3://acme-{region}/{name}/{version}.zip\naliases: { live: {} }\n",
    );
    write(
        &root.join("repo/prod/f.yaml"),
        "apiVersion: pinfold/v1\nkind: Function\nname: f\nversion: \"1.0.0\"\naliases:\n  live:\n  beta:\n    version: \"1.1.0\"\n",
    );
    write(
        &root.join("repo/prod/team/g.yml"),
        "apiVersion: pinfold/v1\nkind: Function\nname: g\nversion: \"2.0.0\"\n",
    );
    write(&root.join("repo/prod/_drafts/h.yaml"), "not a manifest: [");
    write(&root.join("zips/acme-us-east-1/f/1.0.0.zip"), zip("f 1.0.0"));
    write(&root.join("zips/acme-us-east-1/f/1.1.0.zip"), zip("f 1.1.0"));
    Folder {
        repository: root.join("repo"),
        path: "prod".into(),
        target: "prod".to_owned(),
        artifacts: Some(root.join("zips")),
        stand_ins: true,
    }
}

#[tokio::test]
async fn a_folder_fills_s3_and_lambda() {
    let world = World::new().await;
    let root = tempfile::tempdir().unwrap();
    let folder = repository(root.path());
    let place = world.sandbox.place("us-east-1");
    let seeded = place.seed_folder(&folder).unwrap();
    assert_eq!(
        seeded,
        Seeded {
            functions: 2,
            versions: 3,
            objects: 2,
            stand_ins: 1
        }
    );

    assert_eq!(world.get(None).await.code_sha256(), Some(sha(&zip("f 1.0.0")).as_str()));
    assert_eq!(
        world.get(Some("live")).await.code_sha256(),
        Some(sha(&zip("f 1.0.0")).as_str())
    );
    assert_eq!(
        world.get(Some("beta")).await.code_sha256(),
        Some(sha(&zip("f 1.1.0")).as_str())
    );
    assert_eq!(place.alias("g", "live").unwrap()["FunctionVersion"], "1");
    assert_eq!(world.versions().await.len(), 3);

    // A second time there is nothing left to make.
    assert_eq!(
        place.seed_folder(&folder).unwrap(),
        Seeded {
            objects: 2,
            ..Seeded::default()
        }
    );
}

#[tokio::test]
async fn a_missing_zip_is_an_error_where_none_may_be_made_up() {
    let world = World::new().await;
    let root = tempfile::tempdir().unwrap();
    let folder = Folder {
        stand_ins: false,
        ..repository(root.path())
    };
    match world.sandbox.place("us-east-1").seed_folder(&folder) {
        Err(FolderError::S3 { key, source, .. }) => {
            assert_eq!((key.as_str(), source.code), ("g/2.0.0.zip", "NoSuchKey"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_broken_manifest_is_named() {
    let world = World::new().await;
    let root = tempfile::tempdir().unwrap();
    let folder = repository(root.path());
    write(
        &root.path().join("repo/prod/broken.yaml"),
        "kind: Function\nversion: [\n",
    );
    let failed = world.sandbox.place("us-east-1").seed_folder(&folder).unwrap_err();
    assert!(failed.to_string().ends_with("broken.yaml"), "{failed}");
}
