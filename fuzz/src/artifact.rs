//! The bytes are lines: an artifact's location with its placeholders, and what else people write as one word. What
//! parses is what it says, and says it again.

use std::fmt::Display;
use std::str::FromStr;

use pinfold::config::CronSchedule;
use pinfold::domain::{
    AccountId, AliasName, ArtifactTemplate, ArtifactVersion, BranchName, CodeSha256, CommitId, EndpointUrl,
    FunctionGlob, FunctionName, Placeholders, Publication, Region, RepositoryUrl, RevisionId, S3Location, TargetName,
};

use super::text::check_message;

/// Reads the lines of the bytes in every way that a single word is read.
///
/// # Panics
///
/// Something does not hold.
pub fn artifact(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.split('\n');
    let template = lines.next().unwrap_or_default();
    let (word, object_version) = (lines.next().unwrap_or_default(), lines.next());
    location(template, word, object_version);
    words(word);
    let hash = CodeSha256::from_bytes([7; 32]);
    if let Some(publication) = Publication::parse(text, hash) {
        let again = Publication::parse(&publication.to_string(), hash);
        assert_eq!(again.as_ref(), Some(&publication), "what is written is read again");
    }
}

fn location(template: &str, word: &str, object_version: Option<&str>) {
    let template: ArtifactTemplate = match template.parse() {
        Ok(template) => template,
        Err(error) => return told(&error),
    };
    let name: FunctionName = word.parse().unwrap_or_else(|_| sample("checkout-api"));
    let version: ArtifactVersion = word.parse().unwrap_or_else(|_| sample("1.5.0"));
    let target: TargetName = word.parse().unwrap_or_else(|_| sample("prod"));
    let account: AccountId = sample("111111111111");
    for account in [None, Some(&account)] {
        let values = Placeholders {
            name: &name,
            version: &version,
            target: &target,
            region: None,
            account,
        };
        match template.fill(values, object_version) {
            Ok(location) => check(&location),
            Err(error) => told(&error),
        }
    }
}

fn check(location: &S3Location) {
    let S3Location { bucket, key, .. } = location;
    assert!(
        (3..=63).contains(&bucket.len()) && !bucket.contains(['/', '{', '}']),
        "{bucket}"
    );
    assert!(
        (1..=1024).contains(&key.len()) && !key.contains(['{', '}', '?', '#']),
        "{key}"
    );
    assert!(!key.split('/').any(|segment| matches!(segment, "." | "..")), "{key}");
    assert!(!key.chars().any(char::is_control), "{key:?}");
    // Without placeholders it means itself.
    let again: ArtifactTemplate = format!("s3://{bucket}/{key}")
        .parse()
        .expect("a location is a template");
    let (name, version, target) = (sample("a"), sample("1"), sample("t"));
    let values = Placeholders {
        name: &name,
        version: &version,
        target: &target,
        region: None,
        account: None,
    };
    let filled = again.fill(values, location.object_version.as_deref());
    assert_eq!(filled.as_ref(), Ok(location));
}

fn words(word: &str) {
    itself::<FunctionName>(word);
    itself::<AliasName>(word);
    itself::<ArtifactVersion>(word);
    itself::<TargetName>(word);
    itself::<AccountId>(word);
    itself::<Region>(word);
    itself::<CommitId>(word);
    itself::<RevisionId>(word);
    itself::<BranchName>(word);
    itself::<EndpointUrl>(word);
    itself::<CronSchedule>(word);
    if let Some(hash) = parsed::<CodeSha256>(word) {
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_eq!(hash.to_hex().parse(), Ok(hash));
    }
    if let Some(glob) = parsed::<FunctionGlob>(word) {
        let _ = glob.matches(&sample("checkout-api"));
    }
    if let Some(url) = parsed::<RepositoryUrl>(word) {
        let shown = url.to_string();
        assert!(
            !shown.starts_with('-') && !shown.chars().any(char::is_control),
            "{shown:?}"
        );
        let resolved = url.resolved("/etc/pinfold".as_ref());
        assert!(resolved.is_none_or(|url| url.as_str().len() <= word.len() + "file:///etc/pinfold/".len() * 4));
    }
}

/// Reads a word, and again what it shows of itself: both must be the same.
fn itself<T: FromStr<Err: Display> + Display + PartialEq>(word: &str) {
    if let Some(read) = parsed::<T>(word) {
        let shown = read.to_string();
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        assert!(shown.parse::<T>().is_ok_and(|again| again == read), "{shown:?}");
    }
}

fn parsed<T: FromStr<Err: Display>>(word: &str) -> Option<T> {
    word.parse().map_err(|error| told(&error)).ok()
}

fn told(error: &impl Display) {
    check_message(&error.to_string());
}

fn sample<T: FromStr>(text: &str) -> T {
    text.parse().ok().expect("the sample is sound")
}
