//! A gate before every call of an engine: calls go through one at a time, when a schedule says so. It also takes the
//! engine's life at a chosen call, and keeps a record of what went through. It decides nothing about the world.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use pinfold::domain::{
    AliasName, Allocation, CodeSettings, CodeSha256, FunctionName, ObservedAlias, Publication, Resolution, RevisionId,
    S3Location, VerifiedObject, Version,
};
use pinfold::ports::{
    Artifacts, FunctionPage, FunctionSnapshot, LambdaRead, LambdaWrite, PortError, PortErrorKind, Qualifier,
    VersionList, VersionSnapshot,
};

/// The moment of a call at which a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before the call.
    Before,
    /// The call took effect, and nobody received the reply.
    AfterEffect,
    /// The reply was received, and nothing was done about it.
    AfterReply,
    /// The call is on its way: it takes effect when somebody says so, long after the process is gone.
    InFlight,
}

/// A call that writes, with all that it says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Write {
    Update(FunctionName, VerifiedObject, CodeSettings, RevisionId),
    Publish(FunctionName, CodeSha256, Publication),
    Create(FunctionName, AliasName, Version),
    Move(FunctionName, AliasName, Version, RevisionId),
}

/// A call that came through.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Passed {
    pub(crate) name: String,
    pub(crate) write: Option<Write>,
    /// Whether it succeeded; `None` while that is not known.
    pub(crate) succeeded: Option<bool>,
    /// Whether it was about to replace what the engine had not read.
    pub(crate) unseen: bool,
}

/// Looks at the world right before a write, and says whether it would replace what is not among the guards read.
pub(crate) type Witness = Box<dyn Fn(&Write, &BTreeSet<RevisionId>) -> bool + Send>;

/// What an engine's calls have to pass. Clones are the same gate.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// Whether every call goes through without being let.
    open: bool,
    tickets: usize,
    waiting: Vec<Waker>,
    passed: Vec<Passed>,
    /// Guards that the engine has read: of aliases and of `$LATEST`.
    seen: BTreeSet<RevisionId>,
    death: Option<(usize, Moment)>,
    /// A call whose reply is lost to an engine that lives on.
    loss: Option<(usize, Moment)>,
    dead: bool,
    /// Calls whose names begin so end in a panic.
    panics: Option<String>,
    in_flight: Option<Write>,
    witness: Option<Witness>,
}

impl Gate {
    /// A gate that lets everything through, and records it.
    pub(crate) fn open() -> Self {
        let gate = Self::default();
        gate.lock().open = true;
        gate
    }

    /// Has the engine die at its `k`-th call, counted from 0.
    pub(crate) fn dying(self, k: usize, moment: Moment) -> Self {
        self.die_at(k, moment);
        self
    }

    /// The same, counted from when the record was last forgotten.
    pub(crate) fn die_at(&self, k: usize, moment: Moment) {
        self.lock().death = Some((k, moment));
    }

    /// Has the reply to the engine's `k`-th call be lost, and the engine live on.
    pub(crate) fn losing(self, k: usize, moment: Moment) -> Self {
        self.lock().loss = Some((k, moment));
        self
    }

    /// Has calls whose names begin with `name` end in a panic.
    pub(crate) fn panicking(self, name: &str) -> Self {
        self.lock().panics = Some(name.to_owned());
        self
    }

    /// Has no call end in a panic any more.
    pub(crate) fn mend(&self) {
        self.lock().panics = None;
    }

    /// Has somebody look at the world before each write.
    pub(crate) fn watched(self, witness: Witness) -> Self {
        self.lock().witness = Some(witness);
        self
    }

    pub(crate) fn passed(&self) -> Vec<Passed> {
        self.lock().passed.clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().passed.len()
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.lock().dead
    }

    /// Returns the write that was on its way when the engine died.
    pub(crate) fn in_flight(&self) -> Option<Write> {
        self.lock().in_flight.clone()
    }

    /// Forgets the record, for the next pass, which nothing befalls.
    pub(crate) fn forget(&self) {
        let mut shared = self.lock();
        shared.passed.clear();
        shared.loss = None;
    }

    /// Lets one call through.
    pub(crate) fn admit(&self) {
        let mut shared = self.lock();
        shared.tickets += 1;
        shared.waiting.drain(..).for_each(Waker::wake);
    }

    /// Lets nothing through that has not gone yet.
    pub(crate) fn close(&self) {
        self.lock().tickets = 0;
    }

    /// Returns whether the call that was let through has gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().tickets == 0
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits to be let through. Returns the call's number.
    async fn enter(&self, name: String, write: Option<Write>) -> usize {
        let mut entry = Some((name, write));
        poll_fn(|context| {
            let mut shared = self.lock();
            if shared.dead || (shared.tickets == 0 && !shared.open) {
                shared.waiting.push(context.waker().clone());
                return Poll::Pending;
            }
            shared.tickets = shared.tickets.saturating_sub(1);
            let number = shared.passed.len();
            let (name, write) = entry.take().unwrap();
            if shared.loss == Some((number, Moment::InFlight)) || shared.death == Some((number, Moment::InFlight)) {
                shared.in_flight.clone_from(&write);
            }
            shared.dead |= matches!(shared.death, Some((k, Moment::Before | Moment::InFlight)) if k == number);
            if shared.dead {
                return Poll::Pending;
            }
            let unseen = match (&write, &shared.witness) {
                (Some(write), Some(witness)) => witness(write, &shared.seen),
                (_, _) => false,
            };
            shared.passed.push(Passed {
                name,
                write,
                succeeded: None,
                unseen,
            });
            Poll::Ready(number)
        })
        .await
    }

    /// Takes the reply, unless the process is gone by then.
    async fn leave(&self, number: usize, succeeded: bool) {
        {
            let mut shared = self.lock();
            shared.passed[number].succeeded = Some(succeeded);
            let dies = |(k, moment)| k == number && matches!(moment, Moment::AfterEffect | Moment::AfterReply);
            shared.dead |= shared.death.is_some_and(dies);
            if !shared.dead {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    /// Returns whether the reply to a call is lost, and the call with it if it is not carried out in the first place.
    fn loses(&self, number: usize, effect: bool) -> bool {
        self.lock()
            .loss
            .is_some_and(|(k, moment)| k == number && (moment == Moment::AfterEffect) == effect)
    }

    fn note(&self, revisions: impl IntoIterator<Item = RevisionId>) {
        self.lock().seen.extend(revisions);
    }
}

/// A port behind a gate.
#[derive(Clone)]
pub(crate) struct Gated<P> {
    pub(crate) inner: P,
    pub(crate) gate: Gate,
}

fn lost() -> PortError {
    PortError::new(PortErrorKind::Unknown, "a call", "no answer came")
}

impl<P> Gated<P> {
    /// Waits until the gate lets a call through. One that is to end in a panic ends here.
    async fn enter(&self, name: String, write: Option<Write>) -> usize {
        let named = |start: &String| name.starts_with(start);
        let panics = self.gate.lock().panics.as_ref().is_some_and(named);
        let number = self.gate.enter(name, write).await;
        assert!(!panics, "a port has a bug");
        number
    }

    /// Makes a call, when the gate lets it through.
    async fn make<T>(
        &self,
        name: String,
        write: Option<Write>,
        call: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        let number = self.enter(name, write).await;
        if self.gate.loses(number, false) {
            return Err(lost());
        }
        let result = call.await;
        self.gate.leave(number, result.is_ok()).await;
        if self.gate.loses(number, true) {
            Err(lost())
        } else {
            result
        }
    }
}

impl<P: LambdaRead> LambdaRead for Gated<P> {
    async fn list_functions(&self, marker: Option<&str>) -> Result<FunctionPage, PortError> {
        let call = self.inner.list_functions(marker);
        self.make("ListFunctions".to_owned(), None, call).await
    }

    async fn function(&self, name: &FunctionName) -> Result<Option<FunctionSnapshot>, PortError> {
        let call = self.inner.function(name);
        let result = self.make(format!("GetFunction {name}"), None, call).await;
        if let Ok(Some(found)) = &result {
            self.gate.note([found.latest.revision.clone()]);
        }
        result
    }

    async fn aliases(&self, name: &FunctionName) -> Result<Vec<(AliasName, ObservedAlias)>, PortError> {
        let call = self.inner.aliases(name);
        let result = self.make(format!("ListAliases {name}"), None, call).await;
        if let Ok(found) = &result {
            self.gate.note(found.iter().map(|(_, alias)| alias.revision.clone()));
        }
        result
    }

    async fn versions(&self, name: &FunctionName) -> Result<VersionList, PortError> {
        let call = self.inner.versions(name);
        self.make(format!("ListVersions {name}"), None, call).await
    }

    async fn version(&self, name: &FunctionName, qualifier: &Qualifier) -> Result<VersionSnapshot, PortError> {
        let qualified = match qualifier {
            Qualifier::Version(version) => version.to_string(),
            Qualifier::Alias(alias) => alias.to_string(),
        };
        let call = self.inner.version(name, qualifier);
        self.make(format!("GetFunction {name}:{qualified}"), None, call).await
    }

    async fn allocation(&self, name: &FunctionName, alias: &AliasName) -> Result<Allocation, PortError> {
        let call = self.inner.allocation(name, alias);
        self.make(format!("GetProvisionedConcurrencyConfig {name}:{alias}"), None, call)
            .await
    }
}

impl<P: LambdaWrite> LambdaWrite for Gated<P> {
    async fn update_code(
        &self,
        name: &FunctionName,
        code: &VerifiedObject,
        settings: &CodeSettings,
        guard: &RevisionId,
    ) -> Result<Option<CodeSha256>, PortError> {
        let write = Write::Update(name.clone(), code.clone(), settings.clone(), guard.clone());
        let call = self.inner.update_code(name, code, settings, guard);
        self.make(format!("UpdateFunctionCode {name}"), Some(write), call).await
    }

    async fn publish(
        &self,
        name: &FunctionName,
        guard: CodeSha256,
        description: &Publication,
    ) -> Result<(Version, CodeSha256), PortError> {
        let write = Write::Publish(name.clone(), guard, description.clone());
        let call = self.inner.publish(name, guard, description);
        self.make(format!("PublishVersion {name}"), Some(write), call).await
    }

    async fn create_alias(&self, name: &FunctionName, alias: &AliasName, to: Version) -> Result<(), PortError> {
        let write = Write::Create(name.clone(), alias.clone(), to);
        let call = self.inner.create_alias(name, alias, to);
        self.make(format!("CreateAlias {name}:{alias}"), Some(write), call)
            .await
    }

    async fn move_alias(
        &self,
        name: &FunctionName,
        alias: &AliasName,
        to: Version,
        guard: &RevisionId,
    ) -> Result<(), PortError> {
        let write = Write::Move(name.clone(), alias.clone(), to, guard.clone());
        let call = self.inner.move_alias(name, alias, to, guard);
        self.make(format!("UpdateAlias {name}:{alias}"), Some(write), call)
            .await
    }
}

impl<P: Artifacts> Artifacts for Gated<P> {
    async fn look_up(&self, location: &S3Location) -> Resolution {
        let name = format!("HeadObject {}", location.key);
        let number = self.enter(name, None).await;
        let result = self.inner.look_up(location).await;
        self.gate.leave(number, result.is_ok()).await;
        result
    }
}
