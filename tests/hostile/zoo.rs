//! The harmful files, by the row of docs/reliability.md that they belong to, and what has to be said of each.

/// One harmful, or only strange, file.
pub(crate) struct Beast {
    /// Its path below `prod/`.
    pub(crate) path: &'static [u8],
    pub(crate) body: Body,
    pub(crate) fate: Fate,
}

pub(crate) enum Body {
    Bytes(Vec<u8>),
    /// A symbolic link to this.
    Link(&'static str),
    /// In Git alone.
    Submodule,
    /// The same as `Bytes`, in Git alone: no folder can have such a path.
    Unwritable(Vec<u8>),
}

/// What comes of it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fate {
    /// A fault with these words.
    Fault(&'static str),
    /// It is read, as the manifest of this function.
    Sound(&'static str),
    /// Nobody looks at it.
    Unseen,
}

fn beast(path: &'static str, body: impl Into<Vec<u8>>, fate: Fate) -> Beast {
    Beast {
        path: path.as_bytes(),
        body: Body::Bytes(body.into()),
        fate,
    }
}

fn fault(path: &'static str, body: impl Into<Vec<u8>>, words: &'static str) -> Beast {
    beast(path, body, Fate::Fault(words))
}

/// A manifest that is sound but for what is added to it.
fn manifest(name: &str, rest: &str) -> String {
    format!("apiVersion: pinfold/v1\nkind: Function\nname: {name}\n{rest}")
}

/// The same with a version.
fn with(name: &str, rest: &str) -> String {
    manifest(name, &format!("version: \"1.0.0\"\n{rest}"))
}

fn utf16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

/// M1: what parsers choke on.
pub(crate) fn m01() -> Vec<Beast> {
    let bomb = (1..10).fold("aliases:\n  a0: &a0 [lol, lol]\n".to_owned(), |text, n| {
        let before = vec![format!("*a{}", n - 1); 10].join(", ");
        format!("{text}  a{n}: &a{n} [{before}]\n")
    });
    vec![
        fault("bomb.yaml", with("bomb", &bomb), "anchors"),
        fault("self.yaml", with("self", "aliases: &a { b: *a }\n"), "nested deeper"),
        fault("brackets.yaml", "[".repeat(200_000), "over 500 brackets"),
        fault("dashes.yaml", "- ".repeat(100_000), "manifest"),
        fault(
            "scalar.yaml",
            with("scalar", &format!("mode: {}\n", "x".repeat(1_000_000))),
            "mode: \"xxx",
        ),
        fault("huge.yaml", "#".repeat(1024 * 1024 + 1), "at most 1 MiB"),
        fault(
            "twice.yaml",
            with("twice", "version: \"1.0.1\"\n"),
            "stands there twice",
        ),
        fault("tab.yaml", with("tab", "aliases:\n\tlive: {}\n"), "indented with a tab"),
        fault("two.yaml", with("two", "---\nname: three\n"), "second YAML document"),
        fault("tag.yaml", with("tag", "mode: !!str observe\n"), "tags"),
        fault("merge.yaml", with("merge", "<<: { mode: observe }\n"), "merge keys"),
        fault("nan.yaml", manifest("nan", "version: .nan\n"), "a number to YAML"),
        fault("nul.yaml", with("nul", "mode: observe\0\n"), "U+0000"),
        fault(
            "separator.yaml",
            with("separator", "# a\u{2028}mode: observe\n"),
            "U+2028",
        ),
        fault("return.yaml", with("return", "# a\rmode: observe\n"), "carriage return"),
        fault(
            "directive.yaml",
            format!("%YAML 1.1\n---\n{}", with("directive", "")),
            "directives",
        ),
        fault("utf16.yaml", utf16(&with("utf16", "")), "UTF-8"),
        fault(
            "latin1.yaml",
            [with("latin1", "# ").as_bytes(), b"caf\xe9\n"].concat(),
            "UTF-8",
        ),
        fault("empty.yaml", "", "holds nothing"),
        fault("comment.yaml", "# nothing\n", "holds nothing"),
        fault(
            "conflict.yaml",
            format!("<<<<<<< HEAD\n{}=======\n>>>>>>> x\n", with("conflict", "")),
            "",
        ),
        fault("text.yaml", "just a text\n", "made of fields"),
        fault("binary.yaml", (0..=255).cycle().take(4096).collect::<Vec<u8>>(), ""),
        beast("bom.yaml", format!("\u{feff}{}", with("bom", "")), Fate::Sound("bom")),
        beast("crlf.yaml", with("crlf", "").replace('\n', "\r\n"), Fate::Sound("crlf")),
    ]
}

/// M2: slips of the hand.
pub(crate) fn m02() -> Vec<Beast> {
    vec![
        fault(
            "verison.yaml",
            manifest("verison", "verison: \"1.0.0\"\n"),
            "did you mean version?",
        ),
        fault(
            "extra.yaml",
            with("extra", "replicas: 3\n"),
            "unknown field \"replicas\"",
        ),
        fault(
            "alias-field.yaml",
            with("alias-field", "aliases: { live: { verion: \"1\" } }\n"),
            "did you mean version?",
        ),
        fault(
            "kind.yaml",
            "apiVersion: pinfold/v1\nkind: Functoin\nname: kind\nversion: \"1\"\n",
            "kind",
        ),
        fault(
            "v2.yaml",
            "apiVersion: pinfold/v2\nkind: Function\nname: v2\nversion: \"1\"\n",
            "apiVersion",
        ),
    ]
}

/// M3: versions that YAML takes for something else.
pub(crate) fn m03() -> Vec<Beast> {
    let versions = [
        ("float.yaml", "1.10"),
        ("on.yaml", "on"),
        ("octal.yaml", "0o7"),
        ("zeros.yaml", "007"),
        ("exponent.yaml", "1e3"),
        ("huge-number.yaml", "123456789012345678901234567890"),
        ("hex.yaml", "0x1f"),
        ("date.yaml", "2026-11-24"),
        ("none.yaml", ""),
        ("tilde.yaml", "~"),
        ("empty-text.yaml", "\"\""),
        ("list.yaml", "[\"1.0.0\"]"),
    ];
    let mut beasts: Vec<Beast> = versions
        .into_iter()
        .filter(|(_, version)| *version != "2026-11-24")
        .map(|(path, version)| {
            let name = path.trim_end_matches(".yaml");
            fault(path, manifest(name, &format!("version: {version}\n")), "version")
        })
        .collect();
    beasts.push(beast(
        "date.yaml",
        manifest("date", "version: 2026-11-24\n"),
        Fate::Sound("date"),
    ));
    beasts.push(fault(
        "digits.yaml",
        with("digits", &format!("sha256: {}\n", "1".repeat(64))),
        "sha256",
    ));
    beasts
}

/// M4: times that are none.
pub(crate) fn m04() -> Vec<Beast> {
    [
        ("negative.yaml", "-1s"),
        ("endless.yaml", "9e9h"),
        ("no-zone.yaml", "2026-12-01T00:00:00"),
        ("year.yaml", "+999999-01-01T00:00:00Z"),
        ("month.yaml", "2026-13-01T00:00:00Z"),
        ("number.yaml", "1764547200"),
    ]
    .into_iter()
    .map(|(path, until)| {
        let name = path.trim_end_matches(".yaml");
        fault(
            path,
            with(name, &format!("suspend: {{ reason: x, until: {until} }}\n")),
            "suspend.until",
        )
    })
    .collect()
}

/// M5: two files that claim one function.
pub(crate) fn m05() -> Vec<Beast> {
    vec![
        fault("one.yaml", with("claimed", ""), "claimed"),
        fault("deep/other.yml", with("claimed", ""), "claimed"),
    ]
}

/// M7: names that reach elsewhere.
pub(crate) fn m07() -> Vec<Beast> {
    vec![
        fault(
            "arn.yaml",
            with("arn:aws:lambda:us-east-1:111111111111:function:api", ""),
            "function name",
        ),
        fault("partial.yaml", with("111111111111:function:api", ""), "function name"),
        fault("qualified.yaml", with("\"api:live\"", ""), "function name"),
        fault("latest.yaml", with("$LATEST", ""), "function name"),
        fault("long.yaml", with(&"a".repeat(65), ""), "function name"),
        fault("path.yaml", with("../api", ""), "function name"),
        fault("number.yaml", with("number", "aliases: { \"7\": {} }\n"), "alias"),
        fault(
            "alias-latest.yaml",
            with("alias-latest", "aliases: { $LATEST: {} }\n"),
            "alias",
        ),
        fault(
            "bucket.yaml",
            with("bucket", "artifact: s3://artifacts/../other/{version}.zip\n"),
            "artifact",
        ),
        fault(
            "url.yaml",
            with("url", "artifact: https://example.com/a.zip\n"),
            "artifact",
        ),
        fault(
            "query.yaml",
            with("query", "artifact: \"s3://artifacts/a.zip?versionId=1\"\n"),
            "artifact",
        ),
    ]
}

/// G11: entries that are no plain files, and names that are no plain names.
pub(crate) fn g11() -> Vec<Beast> {
    let link = |path: &'static str, to: &'static str| Beast {
        path: path.as_bytes(),
        body: Body::Link(to),
        fate: Fate::Fault("symbolic link"),
    };
    let unseen = |path: &'static [u8]| Beast {
        path,
        body: Body::Unwritable(with("harm", "").into()),
        fate: Fate::Unseen,
    };
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    vec![
        link("link.yaml", "api.yaml"),
        link("outside.yaml", "/etc/hostname"),
        link("dangling.yaml", "nowhere"),
        link("loop.yaml", "loop.yaml"),
        Beast {
            path: b"unread",
            body: Body::Link("/etc"),
            fate: Fate::Unseen,
        },
        Beast {
            path: b"module.yaml",
            body: Body::Submodule,
            fate: Fate::Fault("submodule"),
        },
        fault("lfs.yaml", lfs, "LFS"),
        beast("API.yaml", with("API", ""), Fate::Sound("API")),
        beast("folder.yaml/inside.yaml", with("inside", ""), Fate::Sound("inside")),
        beast(".hidden.yaml", "[", Fate::Unseen),
        beast("_draft.yaml", "[", Fate::Unseen),
        beast("notes.txt", "[", Fate::Unseen),
        Beast {
            path: b"caf\xe9.yaml",
            body: Body::Bytes(with("cafe", "").into()),
            fate: Fate::Fault("not plain UTF-8"),
        },
        fault("line\nbreak.yaml", with("line-break", ""), "not plain UTF-8"),
        fault("\u{1b}[2J.yaml", with("escape", ""), "not plain UTF-8"),
        unseen(b".git/config.yaml"),
        unseen(b".GIT/hooks.yaml"),
    ]
}
