//! Filling a sandbox from folders: manifests that say which functions there are, and zips that lie as they do in S3. It
//! reads as much of a manifest as seeding needs and finds no fault with the rest: judging manifests is the daemon's.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Code, LambdaError, NewFunction, Place, S3Error, package};

/// What to fill a place from.
#[derive(Debug, Clone)]
pub struct Folder {
    /// The root of the desired-state repository.
    pub repository: PathBuf,
    /// The target's folder in it.
    pub path: PathBuf,
    /// The target's name, for `{target}` in artifacts.
    pub target: String,
    /// A folder whose files are put into S3: `BUCKET/KEY`.
    pub artifacts: Option<PathBuf>,
    /// Makes a small zip where an artifact is not in S3. Without it that is an error.
    pub stand_ins: bool,
}

/// What was filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seeded {
    /// Functions that were made. One that exists already is left as it is.
    pub functions: usize,
    /// Versions that were published.
    pub versions: usize,
    /// Objects that were put into S3 from files.
    pub objects: usize,
    /// Objects that were made up.
    pub stand_ins: usize,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A manifest is not of the expected shape.
    #[error("cannot make sense of {}", path.display())]
    Parse {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_yaml::Error,
    },
    /// A function's artifact is not an S3 address.
    #[error("{function} {version}: {artifact:?} is not s3://BUCKET/KEY")]
    Artifact {
        /// The function.
        function: String,
        /// The artifact's version.
        version: String,
        /// What its manifest says, placeholders filled in.
        artifact: String,
    },
    /// S3 refuses an object.
    #[error("cannot use s3://{bucket}/{key}")]
    S3 {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// The refusal.
        source: S3Error,
    },
    /// Lambda refuses a function.
    #[error("cannot make {function}")]
    Lambda {
        /// The function.
        function: String,
        /// The refusal.
        source: LambdaError,
    },
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Manifest {
    kind: String,
    name: String,
    version: String,
    artifact: Option<String>,
    object_version: Option<String>,
    aliases: Option<BTreeMap<String, Option<Alias>>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Alias {
    version: Option<String>,
    artifact: Option<String>,
    object_version: Option<String>,
}

/// An artifact version, as far as it tells one publication from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Release {
    version: String,
    artifact: String,
    object_version: Option<String>,
}

impl Place {
    /// Puts the folder's zips into S3 and makes its functions, as if all of them had been deployed: each version that a
    /// manifest names is published, the aliases point to theirs, and `$LATEST` holds the function's own.
    ///
    /// # Errors
    ///
    /// The first thing that does not work; what was filled in before it stays.
    pub fn seed_folder(&self, folder: &Folder) -> Result<Seeded, FolderError> {
        let mut seeded = Seeded::default();
        if let Some(artifacts) = &folder.artifacts {
            for path in files(artifacts)? {
                let object = path
                    .strip_prefix(artifacts)
                    .unwrap_or(&path)
                    .to_string_lossy()
                    .replace('\\', "/");
                let Some((bucket, key)) = object.split_once('/') else {
                    continue;
                };
                let body = std::fs::read(&path).map_err(|source| FolderError::Read {
                    path: path.clone(),
                    source,
                })?;
                self.put(bucket, key, body)?;
                seeded.objects += 1;
            }
        }
        for path in files(&folder.repository.join(&folder.path))? {
            let yaml = path
                .extension()
                .is_some_and(|extension| extension == "yaml" || extension == "yml");
            if !yaml || is_defaults(&path) {
                continue;
            }
            let manifest = read(&path)?;
            if manifest.kind == "Function" {
                let manifest = with_defaults(folder, &path, manifest)?;
                self.seed_manifest(folder, &manifest, &mut seeded)?;
            }
        }
        Ok(seeded)
    }

    fn seed_manifest(&self, folder: &Folder, manifest: &Manifest, seeded: &mut Seeded) -> Result<(), FolderError> {
        let name = manifest.name.as_str();
        let failed = |source| FolderError::Lambda {
            function: name.to_owned(),
            source,
        };
        if self.function(name, None).is_ok() {
            return Ok(());
        }
        let own = Release {
            version: manifest.version.clone(),
            artifact: manifest.artifact.clone().unwrap_or_default(),
            object_version: manifest.object_version.clone(),
        };
        let aliases: BTreeMap<&str, Release> = manifest
            .aliases
            .iter()
            .flatten()
            .map(|(alias, wish)| (alias.as_str(), release(&own, wish.as_ref())))
            .collect();
        // The function's own version comes last, so that it is what $LATEST holds.
        let mut order: Vec<&Release> = aliases
            .values()
            .filter(|release| **release != own)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        order.push(&own);
        let mut numbers: BTreeMap<&Release, u64> = BTreeMap::new();
        for release in order {
            let code = self.artifact(folder, name, release, seeded)?;
            if numbers.is_empty() {
                self.create_function(NewFunction::new(name, code)).map_err(failed)?;
                seeded.functions += 1;
            } else {
                self.update_code(name, &code).map_err(failed)?;
            }
            if aliases.values().any(|wanted| wanted == release) {
                numbers.insert(release, self.publish(name).map_err(failed)?);
                seeded.versions += 1;
            }
        }
        for (alias, release) in &aliases {
            if let Some(number) = numbers.get(release) {
                self.create_alias(name, alias, *number).map_err(failed)?;
            }
        }
        Ok(())
    }

    /// The artifact of a release, made up where it is missing and may be.
    fn artifact(
        &self,
        folder: &Folder,
        name: &str,
        release: &Release,
        seeded: &mut Seeded,
    ) -> Result<Code, FolderError> {
        let filled = release
            .artifact
            .replace("{name}", name)
            .replace("{version}", &release.version)
            .replace("{target}", &folder.target)
            .replace("{region}", self.region())
            .replace("{account}", self.account_id());
        let Some((bucket, key)) = filled.strip_prefix("s3://").and_then(|address| address.split_once('/')) else {
            return Err(FolderError::Artifact {
                function: name.to_owned(),
                version: release.version.clone(),
                artifact: filled,
            });
        };
        let mut version = release.object_version.clone();
        if let Err(source) = self.has_object(bucket, key, version.as_deref()) {
            if !folder.stand_ins {
                return Err(FolderError::S3 {
                    bucket: bucket.to_owned(),
                    key: key.to_owned(),
                    source,
                });
            }
            let body = format!("exports.handler = async () => '{name} {}';\n", release.version);
            self.put(bucket, key, package([("index.js", body)]))?;
            seeded.stand_ins += 1;
            // The version that the manifest pins cannot be made up.
            version = None;
        }
        Ok(Code::S3 {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            version,
        })
    }

    fn put(&self, bucket: &str, key: &str, body: impl Into<bytes::Bytes>) -> Result<(), FolderError> {
        let failed = |source| FolderError::S3 {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            source,
        };
        self.ensure_bucket(bucket).map_err(failed)?;
        self.put_object(bucket, key, body).map_err(failed)
    }
}

/// What an alias runs. One with a version of its own does not take over the function's object version.
fn release(own: &Release, alias: Option<&Alias>) -> Release {
    let Some(alias) = alias else {
        return own.clone();
    };
    let inherited = own.object_version.clone().filter(|_| alias.version.is_none());
    Release {
        version: alias.version.clone().unwrap_or_else(|| own.version.clone()),
        artifact: alias.artifact.clone().unwrap_or_else(|| own.artifact.clone()),
        object_version: alias.object_version.clone().or(inherited),
    }
}

/// Fills in what a manifest leaves to the defaults of its own folder and those above, the nearest first.
fn with_defaults(folder: &Folder, path: &Path, mut manifest: Manifest) -> Result<Manifest, FolderError> {
    for above in path.ancestors().skip(1) {
        for name in ["defaults.yaml", "defaults.yml"] {
            let path = above.join(name);
            if path.is_file() {
                let defaults = read(&path)?;
                manifest.artifact = manifest.artifact.or(defaults.artifact);
                manifest.aliases = manifest.aliases.or(defaults.aliases);
            }
        }
        if above == folder.repository {
            break;
        }
    }
    Ok(manifest)
}

fn is_defaults(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem == "defaults")
}

fn read(path: &Path) -> Result<Manifest, FolderError> {
    let text = std::fs::read_to_string(path).map_err(|source| FolderError::Read {
        path: path.to_owned(),
        source,
    })?;
    serde_yaml::from_str(&text).map_err(|source| FolderError::Parse {
        path: path.to_owned(),
        source,
    })
}

/// Every file under a folder, in the order of their names; hidden ones and those that begin with `_` are passed over.
fn files(folder: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let failed = |source| FolderError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    let mut found = Vec::new();
    for path in entries {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if name.starts_with(['.', '_']) {
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
