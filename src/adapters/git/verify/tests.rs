//! Verification on commits that Git signed with OpenSSH and GnuPG: tests/git/signatures/make.sh makes them.

use std::fs;

use super::*;

/// A month after the commits were made; a key that is to expire has not yet.
const NOW: &str = "2026-02-02T00:00:00Z";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/git/signatures")
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn commit(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.commit"))).unwrap()
}

/// Judges the bytes of a commit.
fn judge(raw: &[u8], verify: &GitVerify, now: &str) -> Result<(), Refusal> {
    let commit = commit::parse(raw).map_err(Refusal::Commit)?;
    signature(&commit, verify, time(now))
}

fn refused(result: Result<(), Refusal>) -> String {
    match result {
        Err(Refusal::Commit(why)) => why,
        other => panic!("{other:?}"),
    }
}

fn ssh() -> GitVerify {
    GitVerify {
        allowed_signers_file: Some(folder().join("allowed_signers")),
        openpgp_keys_file: None,
    }
}

/// The allowed signers with other options for one key.
fn with_options(options: &str) -> (tempfile::TempDir, GitVerify) {
    let signers = fs::read_to_string(folder().join("allowed_signers")).unwrap();
    let line = signers.lines().find(|line| line.starts_with("ed25519@")).unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let file = temporary.path().join("signers");
    fs::write(&file, line.replacen(" ssh-", &format!(" {options} ssh-"), 1)).unwrap();
    let verify = GitVerify {
        allowed_signers_file: Some(file),
        openpgp_keys_file: None,
    };
    (temporary, verify)
}

#[test]
fn each_kind_of_ssh_key_verifies() {
    for kind in ["ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-3072"] {
        let raw = commit(&format!("ssh-{kind}"));
        assert_eq!(judge(&raw, &ssh(), NOW), Ok(()), "{kind}");
        // Whatever changes after signing is seen: the message, the tree, a parent.
        let text = String::from_utf8(raw).unwrap();
        let parent = format!("\nparent {}\nauthor", "1".repeat(40));
        for (from, to) in [("\n\nssh-", "\n\nssh_"), ("tree ", "tree 0"), ("\nauthor", &parent)] {
            let forged = text.replacen(from, to, 1);
            assert_ne!(forged, text);
            let why = refused(judge(forged.as_bytes(), &ssh(), NOW));
            assert!(why.contains("its signature is not one of the"), "{kind}: {why}");
        }
    }
}

#[test]
fn who_is_not_an_allowed_signer_is_named() {
    let why = refused(judge(&commit("ssh-unknown"), &ssh(), NOW));
    assert!(
        why.contains("ssh-ed25519 key SHA256:") && why.contains("not among the allowed signers"),
        "{why}"
    );
    let why = refused(judge(&commit("ssh-namespace"), &ssh(), NOW));
    assert!(why.contains("for the namespace \"file\""), "{why}");
    let why = refused(judge(&commit("ssh-rsa-1024"), &ssh(), NOW));
    assert!(why.contains("of 1024 bits"), "{why}");
    let (_folder, verify) = with_options("cert-authority");
    let why = refused(judge(&commit("ssh-ed25519"), &verify, NOW));
    assert!(why.contains("1 cert-authority lines are not used"), "{why}");
    let (_folder, verify) = with_options("namespaces=\"file\"");
    let why = refused(judge(&commit("ssh-ed25519"), &verify, NOW));
    assert!(why.contains("not among the allowed signers"), "{why}");
}

#[test]
fn an_ssh_key_counts_in_its_time_alone() {
    let raw = commit("ssh-ed25519");
    for (options, why) in [
        (
            "valid-after=\"20260102\"",
            Some("not valid yet when the commit was made"),
        ),
        (
            "valid-before=\"20251231\"",
            Some("no longer valid when the commit was made"),
        ),
        // Whoever holds a retired key can write any date.
        ("valid-before=\"20260115\"", Some("no longer valid now")),
        ("valid-after=\"20251231\",valid-before=\"20270101Z\"", None),
    ] {
        let (_folder, verify) = with_options(options);
        match why {
            Some(why) => {
                let said = refused(judge(&raw, &verify, NOW));
                assert!(said.contains(why), "{options}: {said}");
            }
            None => assert_eq!(judge(&raw, &verify, NOW), Ok(()), "{options}"),
        }
    }
    let why = refused(judge(&raw, &ssh(), "2025-12-31T23:00:00Z"));
    assert!(why.contains("made in the future"), "{why}");
}

#[test]
fn what_is_not_signed_or_not_as_configured_is_refused() {
    let unsigned =
        "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nx\n";
    assert_eq!(refused(judge(unsigned.as_bytes(), &ssh(), NOW)), "it is not signed");
    let nobody = GitVerify::default();
    let why = refused(judge(&commit("ssh-ed25519"), &nobody, NOW));
    assert!(why.contains("repository.verify.allowedSignersFile is not set"), "{why}");
    let why = refused(judge(&commit("openpgp-rsa"), &nobody, NOW));
    assert!(why.contains("repository.verify.openpgpKeysFile is not set"), "{why}");
    let signed = String::from_utf8(commit("ssh-ed25519")).unwrap();
    let other = signed.replace("BEGIN SSH SIGNATURE", "BEGIN SIGNED MESSAGE");
    let why = refused(judge(other.as_bytes(), &ssh(), NOW));
    assert!(why.contains("neither SSH nor OpenPGP"), "{why}");
    let broken = signed.replace("U1NIU0lH", "U1NIU0lA");
    let why = refused(judge(broken.as_bytes(), &ssh(), NOW));
    assert!(why.contains("cannot be read"), "{why}");
}

#[test]
fn a_file_of_keys_that_cannot_be_used_is_not_the_commit_s_fault() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let verify = GitVerify {
        allowed_signers_file: Some(file.clone()),
        openpgp_keys_file: Some(file.clone()),
    };
    for name in ["ssh-ed25519", "openpgp-rsa"] {
        fs::remove_file(&file).ok();
        let missing = judge(&commit(name), &verify, NOW);
        assert!(
            matches!(&missing, Err(Refusal::Keys(why)) if why.contains("cannot read")),
            "{missing:?}"
        );
        fs::write(&file, "nonsense\n").unwrap();
        let nonsense = judge(&commit(name), &verify, NOW);
        assert!(
            matches!(&nonsense, Err(Refusal::Keys(why)) if why.contains("keys: ")),
            "{nonsense:?}"
        );
    }
}

#[cfg(feature = "openpgp")]
mod openpgp {
    use super::*;

    fn keys(names: &[&str]) -> (tempfile::TempDir, GitVerify) {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("keys.asc");
        let all: String = names
            .iter()
            .map(|name| fs::read_to_string(folder().join(format!("{name}.asc"))).unwrap())
            .collect();
        fs::write(&file, all).unwrap();
        let verify = GitVerify {
            allowed_signers_file: None,
            openpgp_keys_file: Some(file),
        };
        (temporary, verify)
    }

    #[test]
    fn primary_keys_and_subkeys_verify_and_a_file_may_hold_many() {
        let (_folder, verify) = keys(&["sub", "rsa", "expiring"]);
        for name in ["rsa", "sub", "expiring"] {
            let raw = commit(&format!("openpgp-{name}"));
            assert_eq!(judge(&raw, &verify, NOW), Ok(()), "{name}");
            let forged = String::from_utf8(raw).unwrap().replace("\n\nopenpgp-", "\n\nopenpgp_");
            let why = refused(judge(forged.as_bytes(), &verify, NOW));
            assert!(why.contains("is not a good one"), "{name}: {why}");
        }
    }

    #[test]
    fn unknown_expired_and_revoked_keys_are_refused() {
        let (_folder, verify) = keys(&["rsa", "revoked", "revokedsub", "expiring"]);
        let why = refused(judge(&commit("openpgp-unknown"), &verify, NOW));
        assert!(why.contains("which is not among the keys"), "{why}");
        let why = refused(judge(&commit("openpgp-expiring"), &verify, "2026-06-02T00:00:00Z"));
        assert!(why.contains("has expired or was revoked"), "{why}");
        for name in ["openpgp-revoked", "openpgp-revokedsub"] {
            let why = refused(judge(&commit(name), &verify, NOW));
            assert!(why.contains("revoked"), "{name}: {why}");
        }
    }

    #[test]
    fn sha1_is_refused_however_old_the_signature_says_that_it_is() {
        let (_folder, verify) = keys(&["rsa", "old"]);
        for name in ["openpgp-sha1", "openpgp-sha1-old"] {
            let why = refused(judge(&commit(name), &verify, NOW));
            assert!(why.contains("SHA1") && why.contains("too weak"), "{name}: {why}");
        }
    }

    #[test]
    fn two_signatures_in_one_block_are_refused() {
        // The packets of two signatures, one behind the other.
        let (_folder, verify) = keys(&["rsa", "sub"]);
        let doubled = {
            let certificates =
                super::super::openpgp::certificates(&fs::read(verify.openpgp_keys_file.as_ref().unwrap()).unwrap())
                    .unwrap();
            let parsed = commit("openpgp-rsa");
            let parsed = commit::parse(&parsed).unwrap();
            let signature = parsed.signature.clone().unwrap();
            let mut packets = rpgpie::signature::load(&mut signature.as_bytes()).unwrap();
            packets.push(packets[0].clone());
            let mut armored = Vec::new();
            rpgpie::signature::save(&packets, true, &mut armored).unwrap();
            let times = Times {
                committed: parsed.committed,
                now: time(NOW),
            };
            let armored = String::from_utf8(armored).unwrap();
            super::super::openpgp::check(&armored, &parsed.payload, &certificates, times)
        };
        assert!(doubled.unwrap_err().contains("2 OpenPGP signatures"));
    }
}
