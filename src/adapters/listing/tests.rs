//! The rules of listing, on a tree in memory.

use super::*;

/// A tree written as paths; what ends in `->` is a symlink, in `=N` a file of N bytes.
struct Paper(BTreeMap<Vec<u8>, (EntryKind, u64)>);

fn paper(paths: &[&str]) -> Paper {
    let parse = |text: &&str| {
        if let Some(path) = text.strip_suffix("->") {
            return (path.as_bytes().to_vec(), (EntryKind::Symlink, 1));
        }
        let (path, size) = text.rsplit_once('=').unwrap_or((text, "10"));
        (path.as_bytes().to_vec(), (EntryKind::File, size.parse().unwrap()))
    };
    Paper(paths.iter().map(parse).collect())
}

impl Tree for Paper {
    type Folder = Vec<u8>;
    type Leaf = u64;

    fn operation(&self) -> String {
        "read paper".into()
    }

    fn root(&self) -> Result<Vec<u8>, PortError> {
        Ok(Vec::new())
    }

    fn child(&self, folder: &Vec<u8>, name: &str) -> Result<Option<Child<Self>>, PortError> {
        let children = self.children(folder, usize::MAX)?.unwrap();
        Ok(children.into_iter().find(|child| child.name == name.as_bytes()))
    }

    fn children(&self, folder: &Vec<u8>, most: usize) -> Result<Option<Vec<Child<Self>>>, PortError> {
        let mut children: BTreeMap<Vec<u8>, Node<Self>> = BTreeMap::new();
        for (path, (kind, size)) in &self.0 {
            let Some(rest) = path.strip_prefix(folder.as_slice()) else {
                continue;
            };
            match rest.iter().position(|byte| *byte == b'/') {
                Some(end) => {
                    let below = path[..=folder.len() + end].to_vec();
                    children.insert(rest[..end].to_vec(), Node::Folder(below));
                }
                None => {
                    children.insert(rest.to_vec(), Node::Leaf(*kind, *size));
                }
            }
        }
        let children: Vec<_> = children.into_iter().map(|(name, node)| Child { name, node }).collect();
        Ok((children.len() <= most).then_some(children))
    }

    fn stat(&self, size: &u64) -> Result<(BlobId, u64), PortError> {
        Ok((BlobId(vec![7]), *size))
    }
}

fn paths(tree: &SourceTree) -> Vec<&str> {
    tree.entries.iter().map(|entry| entry.path.as_str()).collect()
}

fn list_paths(tree: &[&str], targets: &[&str]) -> SourceTree {
    let targets: Vec<_> = targets.iter().map(|&t| t.to_owned()).collect();
    list(&paper(tree), &targets, &Bounds::default()).unwrap()
}

fn refusal(tree: &[&str], bounds: Bounds) -> PortError {
    list(&paper(tree), &[String::new()], &bounds).unwrap_err()
}

#[test]
fn only_manifests_are_listed_and_hidden_names_are_not_entered() {
    let tree = list_paths(
        &[
            "a.yaml",
            "b.yml",
            "c.json",
            "yaml",
            ".d.yaml",
            "_e.yaml",
            ".git/f.yaml",
            "_g/h.yaml",
            "i/j.yaml",
            "K.YAML",
        ],
        &[""],
    );
    assert_eq!(paths(&tree), ["a.yaml", "b.yml", "i/j.yaml"]);
}

#[test]
fn a_target_brings_the_defaults_above_it_and_nothing_else() {
    let tree = list_paths(
        &[
            "defaults.yaml",
            "x.yaml",
            "a/defaults.yml",
            "a/y.yaml",
            "a/b/z.yaml",
            "a/c/defaults.yaml",
        ],
        &["a/b"],
    );
    assert_eq!(paths(&tree), ["a/b/z.yaml", "a/defaults.yml", "defaults.yaml"]);
    assert!(tree.missing.is_empty());
}

#[test]
fn a_missing_folder_is_named_once_and_the_others_are_listed() {
    let tree = list_paths(
        &["a/x.yaml", "f.yaml", "link->"],
        &["a", "b", "b", "f.yaml", "link", "a/x.yaml/y"],
    );
    assert_eq!(paths(&tree), ["a/x.yaml"]);
    assert_eq!(tree.missing, ["b", "f.yaml", "link", "a/x.yaml/y"]);
}

#[test]
fn targets_inside_each_other_list_each_file_once() {
    let files = ["a/defaults.yaml", "a/b/x.yaml", "y.yaml"];
    for targets in [["a/b", "a", ""], ["", "a", "a/b"], ["a", "", "a"]] {
        assert_eq!(
            paths(&list_paths(&files, &targets)),
            ["a/b/x.yaml", "a/defaults.yaml", "y.yaml"]
        );
    }
    let targets: Vec<String> = vec!["a/b".into(), "a".into(), String::new()];
    let tight = Bounds {
        files: 6,
        total_bytes: 30,
        ..Bounds::default()
    };
    assert!(
        list(&paper(&files), &targets, &tight).is_ok(),
        "nothing is counted twice"
    );
}

#[test]
fn a_symlink_is_listed_by_its_kind() {
    let tree = list_paths(&["a.yaml->", "b->"], &[""]);
    assert_eq!(paths(&tree), ["a.yaml"]);
    assert_eq!(tree.entries[0].kind, EntryKind::Symlink);
}

#[test]
fn an_oversized_file_is_listed_and_does_not_count_towards_the_sum() {
    let tree = list_paths(&["big.yaml=1500000000", "small.yaml"], &[""]);
    assert_eq!(tree.entries[0].size, 1_500_000_000);
}

#[test]
fn each_bound_refuses_the_whole_tree() {
    let cases: [(&[&str], Bounds, &str); 4] = [
        (
            &["a", "b/c", "d"],
            Bounds {
                files: 3,
                ..Bounds::default()
            },
            "more than 3 files and folders",
        ),
        (
            &["a.yaml=6", "b.yaml=5"],
            Bounds {
                total_bytes: 10,
                ..Bounds::default()
            },
            "more than 10 bytes together",
        ),
        (
            &["a/b/c/x"],
            Bounds {
                depth: 2,
                ..Bounds::default()
            },
            "more than 2 deep",
        ),
        (
            &["abc/defg"],
            Bounds {
                path_bytes: 7,
                ..Bounds::default()
            },
            "more than 7 bytes",
        ),
    ];
    for (tree, bounds, message) in cases {
        let error = refusal(tree, bounds);
        assert_eq!(error.kind, PortErrorKind::TooLarge);
        assert!(error.message.contains(message), "{error}");
    }
}

#[test]
fn the_bounds_themselves_are_allowed() {
    let bounds = Bounds {
        files: 4,
        depth: 2,
        path_bytes: 9,
        total_bytes: 10,
        ..Bounds::default()
    };
    let tree = list(&paper(&["a/b/x.yml=10", "c"]), &[String::new()], &bounds).unwrap();
    assert_eq!(paths(&tree), ["a/b/x.yml"]);
}

#[test]
fn a_path_that_is_not_plain_says_so_and_stays_readable() {
    for (bytes, shown) in [
        (&b"a\xff.yaml"[..], "a\u{fffd}.yaml"),
        (b"a\x1b[2J.yaml", "a\u{fffd}[2J.yaml"),
        (b"a\\b.yaml", "a\\b.yaml"),
    ] {
        let mut tree = paper(&[]);
        tree.0.insert(bytes.to_vec(), (EntryKind::File, 1));
        let listed = list(&tree, &[String::new()], &Bounds::default()).unwrap();
        assert!(!listed.entries[0].plain, "{shown}");
        assert_eq!(listed.entries[0].path, shown);
    }
    assert!(list_paths(&["é b.yaml"], &[""]).entries[0].plain);
}
