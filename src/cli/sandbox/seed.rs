//! Fills the sandbox with what a desired-state repository names, as if Pinfold had deployed all of it. What a manifest means
//! is `manifest`'s to say, and a fault of one ends the command: a rehearsal of half a release shows nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::super::exit::{Failure, source_failure};
use super::super::{Global, setup};
use crate::adapters::folder::FolderSource;
use crate::domain::{
    CodeSha256, DesiredArtifact, DesiredFunction, DesiredState, FunctionKey, Publication, S3Location, Target,
    TargetName,
};
use crate::reconcile::{ManifestCache, load};
use crate::sandbox::{Code, NewFunction, Options, Place, Sandbox, package};

/// The folder of the repository that holds the zips. Manifests are not looked for where a name begins with `_`.
const ARTIFACTS: &str = "_artifacts";

/// Where targets are that no configuration places.
const REGION: &str = "us-east-1";

/// What was filled in.
#[derive(Debug, Default)]
pub(super) struct Seeded {
    functions: usize,
    versions: usize,
    objects: usize,
    /// Objects for which there was no file.
    made_up: BTreeSet<String>,
    artifacts: PathBuf,
}

impl fmt::Display for Seeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            functions,
            versions,
            objects,
            made_up,
            artifacts,
        } = self;
        write!(
            f,
            "seeded {functions} functions, {versions} versions and {objects} objects"
        )?;
        if !made_up.is_empty() {
            let list: Vec<&str> = made_up.iter().map(String::as_str).collect();
            write!(
                f,
                "\nmade up, as {} has no file BUCKET/KEY for them:\n  {}",
                artifacts.display(),
                list.join("\n  ")
            )?;
        }
        Ok(())
    }
}

/// A target and where it is in the sandbox.
struct Site {
    target: Target,
    place: Place,
    /// Whom Pinfold would be there: two sites that agree in this are one.
    identity: (Option<String>, String),
}

/// Fills a sandbox from a repository's root and a folder of zips.
pub(super) async fn seed(
    sandbox: &Sandbox,
    repository: &Path,
    artifacts: Option<&Path>,
    global: &Global,
) -> Result<Seeded, Failure> {
    let source = FolderSource::new(repository);
    let sites = sites(sandbox, &source, global).await?;
    let targets: Vec<Target> = sites.iter().map(|site| site.target.clone()).collect();
    let mut desired = load(&source, None, &targets, &mut ManifestCache::default())
        .await
        .map_err(|error| source_failure(&error))?;
    check(&desired, repository)?;
    desired
        .functions
        .retain(|key, _| global.function.as_ref().is_none_or(|glob| glob.matches(&key.name)));
    let folder = artifacts.map_or_else(|| repository.join(ARTIFACTS), Path::to_owned);
    let mut seed = Seed {
        sandbox,
        sites: sites.into_iter().map(|site| (site.target.name.clone(), site)).collect(),
        seeded: Seeded {
            artifacts: folder.clone(),
            ..Seeded::default()
        },
    };
    seed.check_names(&desired)?;
    if artifacts.is_some() || folder.is_dir() {
        seed.objects(&folder, &desired)?;
    }
    for (key, function) in &desired.functions {
        seed.function(key, function)?;
    }
    Ok(seed.seeded)
}

/// Returns the configuration's targets where Pinfold would look for them, or each folder of the first level in one
/// Region.
async fn sites(sandbox: &Sandbox, source: &FolderSource, global: &Global) -> Result<Vec<Site>, Failure> {
    if global.config.is_some() {
        let config = setup::config(global)?;
        let site = |target: crate::config::TargetConfig| {
            let region = target.target.region.as_ref().map_or(REGION, |region| region.as_str());
            // The sandbox lends keys of the role's account; without a role everybody is in its own.
            let account = target.role_arn.as_deref().and_then(|arn| arn.split(':').nth(4));
            let place = sandbox.place(region);
            Site {
                identity: (account.map(str::to_owned), region.to_owned()),
                place: account.map_or_else(|| place.clone(), |account| place.clone().account(account)),
                target: target.target,
            }
        };
        return Ok(config.targets.into_iter().map(site).collect());
    }
    let mut sites = Vec::new();
    for mut target in setup::folder_targets(source, global).await? {
        target.region = Some(REGION.parse()?);
        target.account = Some(Options::default().account.parse()?);
        sites.push(Site {
            target,
            place: sandbox.place(REGION),
            identity: (None, REGION.to_owned()),
        });
    }
    Ok(sites)
}

fn check(desired: &DesiredState, repository: &Path) -> Result<(), Failure> {
    let mut wrong: Vec<String> = desired
        .failed_targets
        .iter()
        .map(|failed| failed.message.clone())
        .collect();
    wrong.extend(desired.faults.iter().map(|fault| match (fault.line, fault.column) {
        (Some(line), Some(column)) => format!("{}:{line}:{column}: {}", fault.file, fault.message),
        (Some(line), None) => format!("{}:{line}: {}", fault.file, fault.message),
        (None, _) => format!("{}: {}", fault.file, fault.message),
    }));
    if wrong.is_empty() {
        return Ok(());
    }
    let list = wrong.join("\n  ");
    Err(Failure::error(format!(
        "nothing is seeded from {}:\n  {list}",
        repository.display()
    )))
}

struct Seed<'a> {
    sandbox: &'a Sandbox,
    sites: BTreeMap<TargetName, Site>,
    seeded: Seeded,
}

impl Seed<'_> {
    /// Refuses two functions of one name in one place.
    fn check_names(&self, desired: &DesiredState) -> Result<(), Failure> {
        let mut taken = BTreeMap::new();
        for (key, function) in &desired.functions {
            let Some(site) = self.sites.get(&key.target) else {
                continue;
            };
            if let Some(other) = taken.insert((&site.identity, &key.name), &function.file) {
                let (file, region) = (&function.file, &site.identity.1);
                return Err(Failure::error(format!(
                    "{other} and {file} both deploy {} to {region}: name the targets' Regions with --config, or one \
                     target with --target",
                    key.name
                )));
            }
        }
        Ok(())
    }

    /// Puts every file `BUCKET/KEY` into S3, those that no manifest names too: they may be what is released next.
    fn objects(&mut self, folder: &Path, desired: &DesiredState) -> Result<(), Failure> {
        let mut regions = BTreeMap::new();
        let mut versions: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
        for (key, function) in &desired.functions {
            for S3Location {
                bucket,
                key: object,
                object_version,
            } in function.artifacts().map(|artifact| &artifact.location)
            {
                regions.entry(bucket.as_str()).or_insert(&key.target);
                let named = versions.entry((bucket, object)).or_default();
                named.extend(object_version.as_deref());
            }
        }
        for path in files(folder)? {
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy();
            let Some((bucket, key)) = name.split_once('/') else {
                return Err(unreadable(&path, &"it lies in no bucket: move it to BUCKET/KEY"));
            };
            let site = regions.get(bucket).and_then(|target| self.sites.get(*target));
            let Some(site) = site.or_else(|| self.sites.values().next()) else {
                continue;
            };
            site.place.ensure_bucket(bucket)?;
            let body = Bytes::from(fs::read(&path).map_err(|error| unreadable(&path, &error))?);
            let named = versions.get(&(bucket, key)).into_iter().flatten();
            for version in named.clone() {
                self.sandbox.put_object_version(bucket, key, version, body.clone())?;
            }
            let there = self.sandbox.object(bucket, key, None).is_ok_and(|there| there == body);
            if !there {
                self.sandbox.put_object(bucket, key, body, true)?;
            }
            self.seeded.objects += 1;
        }
        Ok(())
    }

    /// Makes a function, unless there is one: each artifact that it runs is published, the aliases point to theirs,
    /// and `$LATEST` holds the function's own.
    fn function(&mut self, key: &FunctionKey, function: &DesiredFunction) -> Result<(), Failure> {
        let Some(place) = self.sites.get(&key.target).map(|site| site.place.clone()) else {
            return Ok(());
        };
        let name = key.name.as_str();
        if place.function(name, None).is_ok() {
            return Ok(());
        }
        let mut others: Vec<&DesiredArtifact> = Vec::new();
        for artifact in function.aliases.values() {
            if !same(artifact, &function.code) && !others.iter().any(|other| same(artifact, other)) {
                others.push(artifact);
            }
        }
        let mut numbers: Vec<(&DesiredArtifact, u64)> = Vec::new();
        for (index, artifact) in others.into_iter().chain([&function.code]).enumerate() {
            let sha256 = self.artifact(&place, key, function, artifact)?;
            let S3Location {
                bucket,
                key: object,
                object_version,
            } = artifact.location.clone();
            let code = Code::S3 {
                bucket,
                key: object,
                version: object_version,
            };
            let made = if index == 0 {
                place.create_function(NewFunction::new(name, code))
            } else {
                place.update_code(name, &code)
            };
            made.map_err(|error| Failure::error(format!("{} cannot be deployed: {error}", function.file)))?;
            if function.aliases.values().any(|wanted| same(wanted, artifact)) {
                let publication = Publication {
                    version: artifact.version.clone(),
                    sha256,
                    commit: None,
                };
                numbers.push((artifact, place.publish_described(name, &publication.to_string())?));
                self.seeded.versions += 1;
            }
        }
        for (alias, artifact) in &function.aliases {
            if let Some((_, number)) = numbers.iter().find(|(published, _)| same(published, artifact)) {
                place.create_alias(name, alias.as_str(), *number)?;
            }
        }
        self.seeded.functions += 1;
        Ok(())
    }

    /// Returns the hash of an artifact. One that S3 does not have is made up.
    fn artifact(
        &mut self,
        place: &Place,
        key: &FunctionKey,
        function: &DesiredFunction,
        artifact: &DesiredArtifact,
    ) -> Result<CodeSha256, Failure> {
        let DesiredArtifact { version, pin, location } = artifact;
        let S3Location {
            bucket,
            key: object,
            object_version,
        } = location;
        let body = if let Ok(body) = self.sandbox.object(bucket, object, object_version.as_deref()) {
            body
        } else {
            if pin.is_some() {
                let file = self.seeded.artifacts.join(bucket).join(object);
                return Err(Failure::error(format!(
                    "{} pins version {version} by its hash, so no zip can be made up: put it at {}, or remove the pin \
                     from the copy that you rehearse with",
                    function.file,
                    file.display()
                )));
            }
            let text = format!("exports.handler = async () => '{} {version}';\n", key.name);
            let body = package([("index.js", text)]);
            place.ensure_bucket(bucket)?;
            match object_version {
                Some(id) => self.sandbox.put_object_version(bucket, object, id, body.clone())?,
                None => drop(self.sandbox.put_object(bucket, object, body.clone(), true)?),
            }
            self.seeded.objects += 1;
            self.seeded.made_up.insert(location.to_string());
            body
        };
        Ok(CodeSha256::from_bytes(Sha256::digest(&body).into()))
    }
}

/// Returns whether two artifacts are one publication.
fn same(one: &DesiredArtifact, other: &DesiredArtifact) -> bool {
    (&one.version, &one.location) == (&other.version, &other.location)
}

/// Every file under a folder, in the order of their names; hidden ones are passed over.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        entries.push(entry.map_err(|error| unreadable(folder, &error))?.path());
    }
    entries.sort();
    for path in entries {
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'))
        {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

fn unreadable(path: &Path, error: &dyn fmt::Display) -> Failure {
    Failure::error(format!("cannot use {} as an artifact: {error}", path.display()))
}
