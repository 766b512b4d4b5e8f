//! When the configuration is read anew: when the file, or one that is read together with it, has other content, and on
//! SIGHUP. Judges nothing; what comes of a reading is the daemon's to say.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::Failure;
use super::{Global, setup};
use crate::config::Config;

/// How often the files are looked at. Kubernetes brings a changed ConfigMap or Secret to a pod by a symbolic link that it
/// swaps: content tells, and no event of the file that was.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Bytes of a file that are looked at: more than any of them may have.
const LARGEST: u64 = 2 * 1024 * 1024;

/// Tells when the configuration is another.
pub(super) struct Reload {
    global: Global,
    /// The configuration, and what is read together with it.
    files: Vec<PathBuf>,
    known: Content,
    hangup: Signal,
}

/// What the files say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Content([u8; 32]);

impl Reload {
    /// Begins with the content that the files have now.
    pub(super) fn new(global: &Global, config: &Config) -> Result<Self, Failure> {
        let files = files(global, config);
        Ok(Self {
            known: content(&files),
            files,
            global: global.clone(),
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until the content is another than at the last time, or somebody asks, and reads the configuration anew.
    pub(super) async fn next(&mut self) -> Result<Config, Failure> {
        loop {
            let asked = tokio::select! {
                _ = self.hangup.recv() => true,
                () = tokio::time::sleep(LOOK_EVERY) => false,
            };
            let found = self.look().await?;
            if asked || found != self.known {
                self.known = found;
                let named = self.read().await?;
                // Its files are looked at from now on, also where it cannot be used because one of them is not there yet.
                // What is read is never older than what is known of it.
                self.files = files(&self.global, &named);
                self.known = self.look().await?;
                return self.read().await;
            }
        }
    }

    /// Reads the configuration where a volume that hangs holds up nothing else.
    async fn read(&self) -> Result<Config, Failure> {
        let global = self.global.clone();
        tokio::task::spawn_blocking(move || setup::config(&global)).await?
    }

    /// Looks at the files, in the same way.
    async fn look(&self) -> Result<Content, Failure> {
        let files = self.files.clone();
        Ok(tokio::task::spawn_blocking(move || content(&files)).await?)
    }
}

fn files(global: &Global, config: &Config) -> Vec<PathBuf> {
    let mut files = config.files();
    files.extend(global.config.clone());
    files
}

/// Digests what the files say. One that cannot be read is content of its own: that it is gone is a change.
fn content(files: &[PathBuf]) -> Content {
    let mut digest = Sha256::new();
    for path in files {
        digest.update(of(path).map_or([0; 32], |bytes| Sha256::digest(bytes).into()));
    }
    Content(digest.finalize().into())
}

fn of(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Color, OutputFormat};

    fn configuration(sweep: &str) -> String {
        format!("targets: [{{ name: prod, path: prod, region: eu-west-1 }}]\nschedule: {{ sweep: \"{sweep}\" }}\n")
    }

    #[tokio::test(start_paused = true)]
    async fn a_configuration_is_read_anew_where_its_content_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pinfold.yaml");
        std::fs::write(&file, configuration("0 0/2 * * * *")).unwrap();
        let global = Global {
            config: Some(file.clone()),
            target: None,
            function: None,
            output: OutputFormat::default(),
            color: Color::default(),
            quiet: false,
            verbose: 0,
        };
        let config = setup::config(&global).unwrap();
        let mut reload = Reload::new(&global, &config).unwrap();
        let unchanged = tokio::time::timeout(LOOK_EVERY * 10, reload.next()).await;
        assert!(unchanged.is_err(), "nothing is another");
        std::fs::write(&file, configuration("0 0/5 * * * *")).unwrap();
        assert_eq!(reload.next().await.unwrap().schedule.sweep.as_str(), "0 0/5 * * * *");
        std::fs::write(&file, "targets: []\n").unwrap();
        assert!(reload.next().await.is_err(), "a bad one is told");
        let webhooks = "webhooks: { github: { secretFile: secret } }\n";
        std::fs::write(&file, configuration("0 0/2 * * * *") + webhooks).unwrap();
        assert!(reload.next().await.is_ok(), "and the next good one is read");
        std::fs::write(folder.path().join("secret"), "hunter2").unwrap();
        let later = tokio::time::timeout(LOOK_EVERY * 10, reload.next()).await;
        assert!(later.unwrap().is_ok(), "a file that it names comes later");
    }

    #[test]
    fn other_content_a_missing_file_and_a_swapped_link_are_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a"), "one").unwrap();
        std::fs::write(path("b"), "two").unwrap();
        std::os::unix::fs::symlink(path("a"), path("link")).unwrap();
        let seen = || content(&[path("link"), path("secret")]);
        let first = seen();
        assert_eq!(seen(), first);
        std::fs::remove_file(path("link")).unwrap();
        std::os::unix::fs::symlink(path("b"), path("link")).unwrap();
        let second = seen();
        assert_ne!(second, first);
        std::fs::write(path("secret"), "").unwrap();
        assert_ne!(seen(), second, "an empty file is not a missing one");
    }
}
