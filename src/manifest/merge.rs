//! Brings all files of one commit together, target by target: defaults, claims, artifacts. Parses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use litemap::LiteMap;

use super::aliases::{Alias, Wish};
use super::file::{Content, FunctionFile, Parsed, Shareable, Written};
use super::flaw::{Flaw, Place, shown};
use super::layout::{self, Role};
use crate::domain::{
    AccountId, AliasName, DesiredArtifact, DesiredFunction, DesiredState, Fault, FaultReason, FaultyFunction,
    FunctionKey, FunctionName, Mode, Placeholders, S3Location, Target, TargetName,
};

/// Every file that is looked at, by path.
pub(super) type Files<'a> = BTreeMap<&'a str, (Role, Arc<Parsed>)>;

/// Stands in for an account while a tree is checked without the configuration that names it.
const SOME_ACCOUNT: &str = "000000000000";
/// Files of a conflict that a message names; each of them has its own fault in any case.
const NAMED: usize = 4;

/// Merges all files for all targets. The caller fills in what is not in any file.
pub(super) fn merge<'a>(files: &'a Files<'a>, targets: &[&'a Target]) -> DesiredState {
    let mut state = DesiredState {
        files: files.len(),
        ..DesiredState::default()
    };
    for (path, (_, parsed)) in files {
        state.faults.extend(parsed.flaws.iter().map(|flaw| flaw.at(path)));
    }
    let layers = layers(files, &mut state.faults);
    let mut folders = Folders {
        layers: &layers,
        known: BTreeMap::new(),
    };
    let mut misfits = Misfits::new();
    for target in targets {
        merge_target(target, files, &mut folders, &mut misfits, &mut state);
    }
    state
        .faults
        .extend(misfits.into_iter().map(|(key, misfit)| misfit.fault(&key)));
    state.faults.sort_unstable();
    state.faults.dedup();
    state
}

/// What the defaults of one folder come to.
enum Layer<'a> {
    Sound(&'a str, &'a Shareable),
    /// What is wrong with it, file first.
    Broken(String),
}

/// Finds the defaults of each folder, and the folders that have two.
fn layers<'a>(files: &'a Files<'a>, faults: &mut Vec<Fault>) -> BTreeMap<&'a str, Layer<'a>> {
    let mut by_folder: BTreeMap<&str, Vec<(&str, &Parsed)>> = BTreeMap::new();
    for (path, (role, parsed)) in files {
        if *role == Role::Defaults {
            by_folder
                .entry(layout::split(path).0)
                .or_default()
                .push((*path, parsed.as_ref()));
        }
    }
    let mut layers = BTreeMap::new();
    for (folder, found) in by_folder {
        let layer = if let [(path, parsed)] = found[..] {
            match &parsed.content {
                Some(Content::Defaults(shared)) => Layer::Sound(path, shared),
                Some(Content::Function(_)) | None => Layer::Broken(first_flaw(path, parsed)),
            }
        } else {
            let flaw = Flaw::new(
                None,
                "defaults.yaml and defaults.yml stand in one folder: keep one of the two",
            );
            faults.extend(found.iter().map(|(path, _)| flaw.at(path)));
            Layer::Broken(found.first().map_or(String::new(), |(path, _)| flaw.told(path)))
        };
        layers.insert(folder, layer);
    }
    layers
}

fn first_flaw(path: &str, parsed: &Parsed) -> String {
    parsed
        .flaws
        .first()
        .map_or_else(|| path.to_owned(), |flaw| flaw.told(path))
}

/// What a file or folder has to say once everything above it had its say, each with the file that wrote it.
#[derive(Clone, Copy, Default)]
struct Shared<'a> {
    artifact: Option<(&'a str, &'a Written)>,
    aliases: Option<(&'a str, &'a LiteMap<AliasName, Alias>)>,
    mode: Option<Mode>,
    broken: Option<&'a str>,
}

impl<'a> Shared<'a> {
    /// Takes what a nearer file says, key by key.
    fn under(self, file: &'a str, nearer: &'a Shareable) -> Self {
        Self {
            artifact: nearer
                .artifact
                .as_ref()
                .map(|written| (file, written))
                .or(self.artifact),
            aliases: nearer.aliases.as_ref().map(|aliases| (file, aliases)).or(self.aliases),
            mode: nearer.mode.or(self.mode),
            broken: self.broken,
        }
    }
}

/// What each folder passes on to its files, worked out once a folder.
struct Folders<'a> {
    layers: &'a BTreeMap<&'a str, Layer<'a>>,
    known: BTreeMap<&'a str, Shared<'a>>,
}

impl<'a> Folders<'a> {
    fn of(&mut self, folder: &'a str) -> Shared<'a> {
        if let Some(shared) = self.known.get(folder) {
            return *shared;
        }
        let mut shared = Shared::default();
        for above in layout::ancestors(folder) {
            match self.layers.get(above) {
                Some(Layer::Sound(file, says)) => shared = shared.under(file, says),
                Some(Layer::Broken(why)) => shared.broken = Some(why),
                None => {}
            }
        }
        self.known.insert(folder, shared);
        shared
    }
}

fn merge_target<'a>(
    target: &'a Target,
    files: &'a Files<'a>,
    folders: &mut Folders<'a>,
    misfits: &mut Misfits<'a>,
    state: &mut DesiredState,
) {
    let mut claims: BTreeMap<&FunctionName, Vec<(&str, &Parsed)>> = BTreeMap::new();
    for (path, (_, parsed)) in files {
        // A defaults.yaml that names a function is faulty, and claims it like any other faulty file.
        if let Some(name) = &parsed.claim
            && layout::serves(Role::Function, path, &target.path)
        {
            claims.entry(name).or_default().push((*path, parsed.as_ref()));
        }
    }
    for (name, claimants) in claims {
        let key = FunctionKey {
            target: target.name.clone(),
            name: name.clone(),
        };
        let [(path, parsed)] = claimants[..] else {
            let message = conflict(&key, &claimants, &mut state.faults);
            state.faulty.insert(key, faulty(FaultReason::Conflict, message));
            continue;
        };
        match claimed(target, path, parsed, folders, misfits, &mut state.faults) {
            Ok(function) => {
                state.functions.insert(key, function);
            }
            Err(message) => {
                state.faulty.insert(key, faulty(FaultReason::InvalidManifest, message));
            }
        }
    }
}

fn faulty(reason: FaultReason, message: String) -> FaultyFunction {
    FaultyFunction { reason, message }
}

/// Reports each of the files that claim one function, and returns the whole in one line.
fn conflict(key: &FunctionKey, claimants: &[(&str, &Parsed)], faults: &mut Vec<Fault>) -> String {
    let list = |except: Option<&str>| {
        let mut paths: Vec<String> = claimants
            .iter()
            .filter(|(path, _)| Some(*path) != except)
            .map(|(path, _)| shown(path))
            .collect();
        let untold = paths.len().saturating_sub(NAMED);
        paths.truncate(NAMED);
        let list = paths.join(", ");
        if untold == 0 {
            list
        } else {
            format!("{list} and {untold} more")
        }
    };
    for (path, parsed) in claimants {
        let message = format!(
            "function {} of target {} is claimed by {} too: keep one of the files",
            key.name,
            key.target,
            list(Some(path))
        );
        faults.push(Flaw::new(parsed.claimed_at, message).at(path));
    }
    format!("claimed by {}: keep one of the files", list(None))
}

/// Returns what the one file that claims a function makes of it, or why it cannot be used.
fn claimed<'a>(
    target: &'a Target,
    path: &'a str,
    parsed: &'a Parsed,
    folders: &mut Folders<'a>,
    misfits: &mut Misfits<'a>,
    faults: &mut Vec<Fault>,
) -> Result<DesiredFunction, String> {
    let Some(Content::Function(file)) = &parsed.content else {
        return Err(first_flaw(path, parsed));
    };
    let inherited = folders.of(layout::split(path).0);
    if let Some(why) = inherited.broken {
        return Err(why.to_owned());
    }
    let says = inherited.under(path, &file.shared);
    let Some(artifact) = says.artifact else {
        let flaw = Flaw::new(
            parsed.claimed_at,
            "artifact is missing, here and in every defaults.yaml above: add artifact: s3://BUCKET/{name}/{version}.zip",
        );
        faults.push(flaw.at(path));
        return Err(flaw.told(path));
    };
    let mut filling = Filling {
        target,
        path,
        file,
        misfits,
        failed: None,
    };
    let function = filling.function(artifact, says);
    let failed = filling.failed.take();
    match (function, failed) {
        (Some(function), None) => Ok(function),
        (_, failed) => Err(failed.unwrap_or_else(|| path.to_owned())),
    }
}

/// Fills the artifacts of one function in one target.
struct Filling<'a, 'm> {
    target: &'a Target,
    path: &'a str,
    file: &'a FunctionFile,
    misfits: &'m mut Misfits<'a>,
    /// The first artifact that did not fill.
    failed: Option<String>,
}

impl<'a> Filling<'a, '_> {
    /// Returns the function as far as its artifacts fill; all are tried, so that all misfits are told at once.
    fn function(&mut self, artifact: (&'a str, &'a Written), says: Shared<'a>) -> Option<DesiredFunction> {
        let wish = Wish {
            version: &self.file.version,
            pin: self.file.pin,
            object_version: self.file.object_version.as_deref(),
        };
        let code = self.artifact(artifact, wish);
        let mut aliases = LiteMap::new();
        if let Some((file, named)) = says.aliases {
            aliases.reserve(named.len());
            for (name, alias) in named {
                let artifact = alias.artifact.as_ref().map_or(artifact, |own| (file, own));
                if let Some(filled) = self.artifact(artifact, alias.over(wish)) {
                    aliases.insert(name.clone(), filled);
                }
            }
        }
        Some(DesiredFunction {
            file: self.path.to_owned(),
            code: code?,
            aliases,
            mode: says.mode.unwrap_or_default(),
            suspend: self.file.suspend.clone(),
        })
    }

    fn artifact(&mut self, (file, written): (&'a str, &'a Written), wish: Wish<'_>) -> Option<DesiredArtifact> {
        match self.location(written, wish) {
            Ok(location) => Some(DesiredArtifact {
                version: wish.version.clone(),
                pin: wish.pin,
                location,
            }),
            Err(error) => {
                let misfit = self
                    .misfits
                    .entry(MisfitKey {
                        file,
                        place: written.place,
                        field: &written.field,
                        target: &self.target.name,
                    })
                    .or_insert_with(|| Misfit {
                        error,
                        shared: file != self.path,
                        functions: BTreeSet::new(),
                    });
                misfit.functions.insert(&self.file.name);
                let told = Flaw::new(written.place, format!("{}: {}", written.field, misfit.error)).told(file);
                self.failed.get_or_insert(told);
                None
            }
        }
    }

    fn location(&self, written: &Written, wish: Wish<'_>) -> Result<S3Location, String> {
        let unconfigured = self.target.region.is_none() && self.target.account.is_none();
        let stand_in: Option<AccountId> = SOME_ACCOUNT.parse().ok().filter(|_| unconfigured);
        let values = Placeholders {
            name: &self.file.name,
            version: wish.version,
            target: &self.target.name,
            region: self.target.region.as_ref(),
            account: self.target.account.as_ref().or(stand_in.as_ref()),
        };
        written
            .template
            .fill(values, wish.object_version)
            .map_err(|error| error.to_string())
    }
}

/// Artifacts that did not fill. One artifact in a defaults.yaml may fail for a thousand functions; it is one fault.
type Misfits<'a> = BTreeMap<MisfitKey<'a>, Misfit<'a>>;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct MisfitKey<'a> {
    file: &'a str,
    place: Option<Place>,
    field: &'a str,
    target: &'a TargetName,
}

struct Misfit<'a> {
    error: String,
    /// Whether the artifact stands in another file than the function.
    shared: bool,
    functions: BTreeSet<&'a FunctionName>,
}

impl Misfit<'_> {
    fn fault(&self, key: &MisfitKey<'_>) -> Fault {
        let MisfitKey {
            file,
            place,
            field,
            target,
        } = key;
        let whose = match self.functions.first() {
            Some(first) if self.shared => match self.functions.len() - 1 {
                0 => format!("for function {first} in target {target}"),
                others => format!("for function {first} and {others} more in target {target}"),
            },
            Some(_) | None => format!("in target {target}"),
        };
        Flaw::new(*place, format!("{field}: {whose}: {}", self.error)).at(file)
    }
}
