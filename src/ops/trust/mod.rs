//! Whose signatures what is deployed and committed needs, and whether it has them: the rooms `records` and `trust` joined.
//!
//! | file | what lives there |
//! |---|---|
//! | here | what a host asks of what it deploys |
//! | `commit` | signing what is committed, and what the policy says of who does |
//! | `heartbeat` | that a branch is not older than the host allows |
//! | `review` | whether a request to merge is signed and allowed |
//! | `seen` | that branches and environments do not go back |
//! | `verify` | `record verify` |
//!
//! A host believes its own configuration: the lists of keys, how many people have to sign, and whose signatures the policy in
//! the records needs to be believed as well. Keys have to be valid now, at the time of the check: what a signature says of
//! when it was made is only the word of who made it.

mod commit;
mod heartbeat;
mod review;
mod seen;
mod verify;

use std::path::Path;

use super::{Error, Site};
use crate::config::TrustedKeys;
use crate::fsx;
use crate::model::{Act, ComponentType, EnvironmentName, Lack, Policy, Signer, Span, Timestamp, judge};
use crate::records::{EnvironmentFile, Published, SignatureFile, Snapshot};
use crate::trust::{
    AllowedSigners, Checked, Keyring, Namespace, Person, Rejected, Revoked, RevokedError, SignersError,
};

pub use commit::{Signed, SignedWhat, sign};
pub(super) use commit::{admit, signature};
pub(super) use heartbeat::require_fresh;
pub use heartbeat::{Beaten, renew};
pub(super) use review::review;
pub use seen::Rewrite;
pub(super) use seen::{Tip, check as check_tip, remember};
pub(super) use verify::who_signed;
pub use verify::{Report, SignatureLine, Verified, verify};

/// Why something is not trusted, or cannot be.
#[derive(Debug, thiserror::Error)]
pub enum Distrust {
    /// The list of allowed signers is not understood.
    #[error("`{}`: {source}", path.display())]
    Signers {
        /// The list.
        path: std::path::PathBuf,
        /// Why.
        source: SignersError,
    },
    /// The list of revoked keys is not understood.
    #[error("`{}`: {source}", path.display())]
    Revoked {
        /// The list.
        path: std::path::PathBuf,
        /// Why.
        source: RevokedError,
    },
    /// A file that too few people signed.
    #[error("{what} is signed by {} of {need}", people.len())]
    NotSigned {
        /// The file.
        what: String,
        /// How many have to.
        need: usize,
        /// Who did, as far as it counts.
        people: Vec<String>,
        /// The signatures that do not count.
        rejected: Vec<Rejected>,
    },
    /// The policy lets nobody do this who signed for it.
    #[error("the policy does not allow {what}")]
    Denied {
        /// What was signed.
        what: String,
        /// What is missing.
        lacks: Vec<Lack>,
        /// Who signed, as far as it counts.
        people: Vec<String>,
        /// The signatures that do not count.
        rejected: Vec<Rejected>,
    },
    /// The host wants a policy and there is none it could read.
    #[error("no policy")]
    NoPolicy {
        /// The records repository; `None` for a record without git.
        repository: Option<std::path::PathBuf>,
    },
    /// The policy asks who commits this, and nothing says which key is whose.
    #[error("no allowed signers")]
    NobodyKnown {
        /// What is missing.
        lacks: Vec<Lack>,
    },
    /// Signing was asked for without a key.
    #[error("no key to sign with")]
    NoKey,
    /// There is nothing to sign.
    #[error("there is no {what}")]
    NothingToSign {
        /// What there is none of.
        what: String,
    },
    /// No signature was made.
    #[error(transparent)]
    Sign(#[from] crate::trust::SignError),
    /// The branch does not hold the commit that this root has seen.
    #[error("`{branch}` was rewritten")]
    Rewritten {
        /// The repository and branch.
        branch: String,
        /// The commit that was seen.
        old: String,
        /// The commit of now.
        new: String,
    },
    /// Another rewrite was accepted than the one there is.
    #[error("`{branch}` was not rewritten so")]
    OtherRewrite {
        /// The repository and branch.
        branch: String,
        /// The commit that was seen; `None` where none was.
        old: Option<String>,
        /// The commit of now.
        new: String,
    },
    /// The host wants a heartbeat and there is none.
    #[error("no heartbeat")]
    NoHeartbeat {
        /// The records repository.
        repository: std::path::PathBuf,
    },
    /// The newest heartbeat is older than the host allows, or from a clock that runs ahead by as much.
    #[error("the newest heartbeat is from {at}")]
    Stale {
        /// When it was renewed.
        at: Timestamp,
        /// What time it is here.
        now: Timestamp,
        /// How old it may be.
        max_age: Span,
    },
    /// The serial number of an environment is lower than one that this root has seen.
    #[error("`{environment}` has fallen from {seen} to {serial}")]
    SerialFell {
        /// The environment.
        environment: EnvironmentName,
        /// The serial number of now.
        serial: u64,
        /// The one that was seen.
        seen: u64,
    },
}

/// What a host asks for.
pub(super) struct Trust {
    keyring: Keyring,
    require: usize,
    environments: usize,
    policy: Option<(Keyring, usize)>,
    /// Whether a branch needs a heartbeat.
    heartbeat: bool,
    at: Timestamp,
}

impl Trust {
    /// What the configuration asks for; `None` where it asks for nothing.
    pub fn of(site: &Site) -> Result<Option<Self>, Error> {
        let Some(trust) = &site.config.deploy.trust else { return Ok(None) };
        let policy = trust.policy.as_ref().map(|policy| Ok::<_, Error>((keyring(&policy.keys)?, policy.require)));
        Ok(Some(Self {
            keyring: keyring(&trust.keys)?,
            require: trust.require,
            environments: trust.environments,
            policy: policy.transpose()?,
            heartbeat: trust.max_age.is_some(),
            at: site.caller.time(),
        }))
    }

    fn check(&self, namespace: &Namespace, message: &[u8], signatures: &[SignatureFile]) -> Checked {
        checked(&self.keyring, namespace, message, signatures, self.at)
    }

    /// The policy, signed by as many as the host asks for; `None` where it asks for none.
    fn policy(&self, snapshot: Option<&Snapshot<'_>>, repository: Option<&Path>) -> Result<Option<Policy>, Error> {
        let Some((keyring, need)) = &self.policy else { return Ok(None) };
        let file = snapshot.map(Snapshot::policy).transpose()?.flatten();
        let file = file.ok_or_else(|| Distrust::NoPolicy { repository: repository.map(Path::to_owned) })?;
        let found = checked(keyring, &Namespace::policy(), &file.signed.bytes, &file.signed.signatures, self.at);
        enough("policy.json".to_owned(), *need, found)?;
        Ok(Some(file.policy))
    }

    fn manifest(&self, policy: Option<&Policy>, published: &Published) -> Result<(), Error> {
        let found = self.check(&Namespace::manifest(), &published.manifest_bytes, &published.signatures);
        let what = format!("{}@{}", published.component(), published.version());
        let found = enough(what.clone(), self.require, found)?;
        match policy {
            Some(policy) => allowed(policy, Act::Publish(published.component()), what, found),
            None => Ok(()),
        }
    }

    fn environment(
        &self,
        policy: Option<&Policy>,
        name: &EnvironmentName,
        file: &EnvironmentFile,
    ) -> Result<(), Error> {
        let found = self.check(&Namespace::environment(name), &file.bytes, &file.signatures);
        let what = format!("environments/{name}.json");
        let found = enough(what.clone(), self.environments, found)?;
        let components: Vec<&ComponentType> = file.environment.components.keys().collect();
        match policy {
            Some(policy) => allowed(policy, Act::Environment(name, &components), what, found),
            None => Ok(()),
        }
    }
}

/// Refuses what is not signed as this host asks: the manifest of each version, and the environment that names them.
/// `snapshot` is where they were read, `None` for files without git.
///
/// # Errors
///
/// [`Distrust`]. Nothing of the packages has been asked for then.
pub(super) fn require(
    site: &Site,
    snapshot: Option<&Snapshot<'_>>,
    wanted: &[Published],
    environment: Option<(&EnvironmentName, &EnvironmentFile)>,
) -> Result<(), Error> {
    let Some(trust) = Trust::of(site)? else { return Ok(()) };
    let policy = trust.policy(snapshot, snapshot.map(|_| site.repository.as_path()))?;
    wanted.iter().try_for_each(|published| trust.manifest(policy.as_ref(), published))?;
    match environment {
        Some((name, file)) => trust.environment(policy.as_ref(), name, file),
        None => Ok(()),
    }
}

/// Reads files of keys.
fn keyring(keys: &TrustedKeys) -> Result<Keyring, Error> {
    let path = &keys.allowed_signers;
    let signers = AllowedSigners::parse(&fsx::read(path)?);
    let signers = signers.map_err(|source| Distrust::Signers { path: path.clone(), source })?;
    let revoked = match &keys.revoked {
        Some(path) => {
            Revoked::parse(&fsx::read(path)?).map_err(|source| Distrust::Revoked { path: path.clone(), source })?
        }
        None => Revoked::default(),
    };
    Ok(Keyring { signers, revoked })
}

fn checked(
    keyring: &Keyring,
    namespace: &Namespace,
    message: &[u8],
    signatures: &[SignatureFile],
    at: Timestamp,
) -> Checked {
    let signatures = signatures.iter().map(|file| (file.name.as_str(), file.bytes.as_slice()));
    keyring.check(namespace, message, signatures, at)
}

/// What was found, where so many people signed.
fn enough(what: String, need: usize, found: Checked) -> Result<Checked, Distrust> {
    let people = found.people();
    if people.len() >= need {
        return Ok(found);
    }
    let people = people.iter().map(Person::to_string).collect();
    Err(Distrust::NotSigned { what, need, people, rejected: found.rejected })
}

/// Whether the policy allows what was signed.
fn allowed(policy: &Policy, act: Act<'_>, what: String, found: Checked) -> Result<(), Error> {
    let people = found.people();
    let verdict = judge(policy, act, &signers(policy, &people));
    if verdict.is_granted() {
        return Ok(());
    }
    let people = people.iter().map(Person::to_string).collect();
    Err(Distrust::Denied { what, lacks: verdict.lacks, people, rejected: found.rejected }.into())
}

/// Each person by the names that the policy has for them.
fn signers(policy: &Policy, people: &[Person]) -> Vec<Signer> {
    let known = policy.principals();
    let names = |person: &Person| known.iter().filter(|name| person.is(name)).map(|name| (*name).to_owned()).collect();
    people.iter().map(names).collect()
}
