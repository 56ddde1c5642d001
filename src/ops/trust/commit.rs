//! Signing what is committed, and what the policy says of whoever does: `publish`, `env set`, `record yank|sign`.
//!
//! A file may need more signatures than one. Whoever the policy names for it at all may commit the first; the others come
//! with `record sign`, each in a commit of its own, and a host waits for all of them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Distrust, Trust, checked, signers};
use crate::model::{Act, ComponentType, EnvironmentName, Lack, Policy, Reference, judge, policy_names};
use crate::ops::commit::commit;
use crate::ops::{Error, Site, record};
use crate::records::{Change, SignatureFile, SignedFile, Snapshot};
use crate::trust::{self, Fingerprint, Namespace, Person, Signing};

/// A signature that was made.
#[derive(Debug, Clone)]
pub(in crate::ops) struct Signature {
    pub fingerprint: Fingerprint,
    pub file: SignatureFile,
}

/// The signature of the configured key over a message; `None` where none is configured. One of the same key that is among
/// `known` and good already stays as it is.
pub(in crate::ops) fn signature(
    site: &Site,
    namespace: &Namespace,
    message: &[u8],
    known: &[SignatureFile],
) -> Result<Option<Signature>, Error> {
    let Some(key) = &site.config.records.sign else { return Ok(None) };
    let environment: BTreeMap<String, String> =
        site.ambient.without_logins().map(|(name, value)| (name.clone(), value.clone())).collect();
    let made = trust::sign(&Signing { key, dir: &site.config.base, environment: &environment }, namespace, message)
        .map_err(Distrust::Sign)?;
    let name = made.fingerprint.file_name();
    let is_good = |file: &&SignatureFile| {
        file.name == name && trust::Signature::parse(&file.bytes).is_ok_and(|known| known.is_over(namespace, message))
    };
    let file = known.iter().find(is_good).cloned().unwrap_or(SignatureFile { name, bytes: made.bytes });
    Ok(Some(Signature { fingerprint: made.fingerprint, file }))
}

/// Whether the policy of the branch lets the people who signed do this, and what it lacks besides. Without a policy, or where
/// it asks for no signature, nothing is asked.
///
/// # Errors
///
/// [`Distrust::Denied`] where it names none of them; [`Distrust::NobodyKnown`] where nothing says whose key it is.
pub(in crate::ops) fn admit(
    site: &Site,
    snapshot: &Snapshot<'_>,
    act: Act<'_>,
    (namespace, message): (&Namespace, &[u8]),
    signatures: &[SignatureFile],
) -> Result<Vec<Lack>, Error> {
    let trust = Trust::of(site)?;
    let policy = match trust.as_ref().map(|trust| trust.policy(Some(snapshot), Some(&site.repository))).transpose()? {
        Some(Some(believed)) => believed,
        _ => match snapshot.policy()? {
            Some(file) => file.policy,
            None => return Ok(Vec::new()),
        },
    };
    let without = judge(&policy, act, &[]);
    if without.is_granted() {
        return Ok(Vec::new());
    }
    let Some(trust) = trust else { return Err(Distrust::NobodyKnown { lacks: without.lacks }.into()) };
    let found = checked(&trust.keyring, namespace, message, signatures, trust.at);
    let people = found.people();
    let signers = signers(&policy, &people);
    let lacks = judge(&policy, act, &signers).lacks;
    if lacks.is_empty() || signers.iter().any(|signer| policy_names(&policy, act, signer)) {
        return Ok(lacks);
    }
    let what = what(act);
    let people = people.iter().map(Person::to_string).collect();
    Err(Distrust::Denied { what, lacks, people, rejected: found.rejected }.into())
}

fn what(act: Act<'_>) -> String {
    match act {
        Act::Publish(component) => component.to_string(),
        Act::Environment(name, _) => format!("environments/{name}.json"),
        Act::Policy => "policy.json".to_owned(),
    }
}

/// What `record sign` signs.
#[derive(Debug, Clone)]
pub enum SignedWhat {
    /// The manifest of a version.
    Manifest(Reference),
    /// The note that withdraws it.
    Yank(Reference),
    /// An environment.
    Environment(EnvironmentName),
    /// The policy.
    Policy,
}

/// What `record sign` did.
#[derive(Debug, Clone, Serialize)]
pub struct Signed {
    /// The file that was signed, inside the records directory.
    pub file: String,
    /// The key; absent where it was only planned, since only signing tells.
    pub fingerprint: Option<Fingerprint>,
    /// The commit that holds the signature.
    pub commit: Option<String>,
    /// The branch it is on.
    pub branch: Option<String>,
    /// Whether it was there already and nothing was committed.
    pub unchanged: bool,
    /// What the policy asks for besides.
    pub missing: Vec<Lack>,
    /// Whether it was only planned.
    pub dry_run: bool,
}

/// `record sign`: adds a signature to what is committed already, in a commit of its own.
///
/// # Errors
///
/// [`Distrust::NoKey`], [`Distrust::NothingToSign`]; as the policy says.
pub fn sign(site: &Site, what: &SignedWhat, dry_run: bool) -> Result<Signed, Error> {
    if site.config.records.sign.is_none() {
        return Err(Distrust::NoKey.into());
    }
    let repository = record::existing(site)?;
    repository.require_target()?;
    let snapshot = repository.snapshot(None)?;
    let nothing = |what: &str| Distrust::NothingToSign { what: what.to_owned() };
    match what {
        SignedWhat::Manifest(reference) => {
            let published = snapshot.resolve(reference)?;
            let (component, version) = (published.component(), published.version());
            let file = SignedFile::Manifest(component, version);
            let content =
                (&Namespace::manifest(), published.manifest_bytes.as_slice(), published.signatures.as_slice());
            add(site, dry_run, &snapshot, file, Act::Publish(component), content)
        }
        SignedWhat::Yank(reference) => {
            let published = snapshot.resolve(reference)?;
            let (component, version) = (published.component(), published.version());
            if published.yanked.is_none() {
                return Err(nothing("yanked.json").into());
            }
            let signed = &published.yanked_signed;
            let content = (&Namespace::yank(component, version), signed.bytes.as_slice(), signed.signatures.as_slice());
            add(site, dry_run, &snapshot, SignedFile::Yank(component, version), Act::Publish(component), content)
        }
        SignedWhat::Environment(name) => {
            let Some(file) = snapshot.environment(name)? else {
                return Err(Error::NoEnvironment { name: name.clone(), known: snapshot.environments()? });
            };
            let components: Vec<&ComponentType> = file.environment.components.keys().collect();
            let content = (&Namespace::environment(name), file.bytes.as_slice(), file.signatures.as_slice());
            add(site, dry_run, &snapshot, SignedFile::Environment(name), Act::Environment(name, &components), content)
        }
        SignedWhat::Policy => {
            let signed = snapshot.policy()?.ok_or_else(|| nothing("policy.json"))?.signed;
            let content = (&Namespace::policy(), signed.bytes.as_slice(), signed.signatures.as_slice());
            add(site, dry_run, &snapshot, SignedFile::Policy, Act::Policy, content)
        }
    }
}

fn add(
    site: &Site,
    dry_run: bool,
    snapshot: &Snapshot<'_>,
    file: SignedFile<'_>,
    act: Act<'_>,
    (namespace, message, known): (&Namespace, &[u8], &[SignatureFile]),
) -> Result<Signed, Error> {
    let mut signed = Signed {
        file: file.path(),
        fingerprint: None,
        commit: None,
        branch: None,
        unchanged: false,
        missing: Vec::new(),
        dry_run,
    };
    if dry_run {
        return Ok(signed);
    }
    let made = signature(site, namespace, message, known)?.ok_or(Distrust::NoKey)?;
    let others = known.iter().filter(|known| known.name != made.file.name).cloned();
    let all: Vec<_> = others.chain([made.file.clone()]).collect();
    // Whoever signs the policy is judged by the hosts that pin its keys, not by the file that is signed.
    if !matches!(act, Act::Policy) {
        signed.missing = admit(site, snapshot, act, (namespace, message), &all)?;
    }
    let subject = format!("sign {}", file.path());
    let change = Change::new(&subject, &format!("Key: {}", made.fingerprint));
    let change = change.signature(file, known, &made.file);
    let committed = commit(site, &site.repository()?, &change)?;
    signed.fingerprint = Some(made.fingerprint);
    signed.commit = Some(committed.commit);
    signed.branch = Some(committed.branch);
    signed.unchanged = !committed.is_new;
    Ok(signed)
}

/// Whether a policy asks anybody for a signature of this.
pub(super) fn lacks(policy: &Policy, act: Act<'_>, people: &[Person]) -> Vec<Lack> {
    judge(policy, act, &signers(policy, people)).lacks
}
