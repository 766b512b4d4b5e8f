//! The demo's Git repository: the built-in example, committed once. The user's own commits follow.

use std::path::Path;

use git2::{IndexAddOption, Repository, RepositoryInitOptions, Signature, Time};
use include_dir::{Dir, include_dir};

use super::super::exit::Failure;
use super::world::Objects;

/// The example repository, as it lies in the project.
static EXAMPLE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/desired-state-example");

/// The line that the demo suggests to change: file, version as it is, version that is uploaded too.
pub(super) const SUGGESTION: (&str, &str, &str) = ("prod/checkout/checkout-api.yaml", "1.5.0", "1.5.1");

/// Stands in the example for the object version, which S3 gives out only on upload.
const EXAMPLE_OBJECT_VERSION: &str = "3HL4kqtJvjVBH40Nrjfkd9fSkz2mRqTb";

/// Who commits in the demo.
const AUTHOR: (&str, &str) = ("Pinfold demo", "demo@pinfold.invalid");

/// When the first commit was made, in seconds since 1970: always the same, so that the demo shows the same each time.
const COMMITTED: i64 = 1_767_225_600;

/// Writes the example into `path` and commits it on `main`.
pub(super) fn create(path: &Path, objects: &Objects) -> Result<(), Failure> {
    std::fs::create_dir_all(path)?;
    EXAMPLE.extract(path)?;
    let pinned = path.join("prod/payments/payments-webhook.yaml");
    let text = std::fs::read_to_string(&pinned)?;
    std::fs::write(
        &pinned,
        text.replace(EXAMPLE_OBJECT_VERSION, &objects.pinned_object_version),
    )?;

    let repository = Repository::init_opts(path, RepositoryInitOptions::new().initial_head("main"))?;
    // So that the user can commit here without an identity of their own.
    let mut config = repository.config()?;
    config.set_str("user.name", AUTHOR.0)?;
    config.set_str("user.email", AUTHOR.1)?;
    let mut index = repository.index()?;
    index.add_all(["*"], IndexAddOption::DEFAULT, None)?;
    index.write()?;
    let tree = repository.find_tree(index.write_tree()?)?;
    let author = Signature::new(AUTHOR.0, AUTHOR.1, &Time::new(COMMITTED, 0))?;
    repository.commit(
        Some("HEAD"),
        &author,
        &author,
        "What runs in Acme's Lambda functions",
        &tree,
        &[],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::world;

    fn file(path: &str) -> &'static str {
        EXAMPLE.get_file(path).unwrap().contents_utf8().unwrap()
    }

    #[test]
    fn the_line_to_change_is_there_once_and_its_new_version_is_uploaded() {
        let (path, from, to) = SUGGESTION;
        assert_eq!(file(path).matches(from).count(), 1);
        assert!(world::versions("checkout-api").contains(&to));
    }

    #[test]
    fn the_example_pins_the_hash_that_the_demo_uploads() {
        let text = file("prod/payments/payments-webhook.yaml");
        assert!(text.contains(EXAMPLE_OBJECT_VERSION));
        let sha256 = world::hash("payments-webhook", "2.3.1").to_hex();
        assert!(text.contains(&sha256), "the pin must be {sha256}");
    }
}
