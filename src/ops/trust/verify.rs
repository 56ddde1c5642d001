//! `record verify`: who signed what, and whether it is what this host asks for.

use serde::Serialize;

use super::commit::lacks;
use super::{Error, Site, Trust, checked};
use crate::model::{Act, ComponentType, Lack, Policy, Reference, Timestamp};
use crate::ops::record;
use crate::records::{Published, SignatureFile, SignedFile, Snapshot};
use crate::trust::{Accepted, Fingerprint, Keyring, Namespace, Person, Why};

/// One signature.
#[derive(Debug, Clone, Serialize)]
pub struct SignatureLine {
    /// The name of its file.
    pub file: String,
    /// The key, where it can be read.
    pub fingerprint: Option<Fingerprint>,
    /// Whose key it is; absent where the signature does not count.
    pub principals: Option<String>,
    /// Why it does not count.
    #[serde(serialize_with = "as_text")]
    pub refused: Option<Why>,
}

fn as_text<S: serde::Serializer>(why: &Option<Why>, serializer: S) -> Result<S::Ok, S::Error> {
    match why {
        Some(why) => serializer.collect_str(why),
        None => serializer.serialize_none(),
    }
}

/// One file.
#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    /// The file, inside the records directory.
    pub file: String,
    /// Its signatures.
    pub signatures: Vec<SignatureLine>,
    /// How many people signed it.
    pub people: usize,
    /// How many have to, as the configuration of this host says.
    pub need: usize,
    /// What the policy asks for besides.
    pub missing: Vec<Lack>,
    /// Whether that is enough.
    pub trusted: bool,
}

/// What `record verify` found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The commit that was looked at.
    pub commit: Option<String>,
    /// Whether this host is configured to ask for signatures.
    pub configured: bool,
    /// The files.
    pub files: Vec<Verified>,
}

impl Report {
    /// Whether everything is as this host asks.
    pub fn is_trusted(&self) -> bool {
        self.files.iter().all(|file| file.trusted)
    }
}

/// What each file is looked at with.
struct Look {
    trust: Option<Trust>,
    /// The policy, where there is one, whether it is signed or not: that is told of the policy itself.
    policy: Option<Policy>,
    at: Timestamp,
}

/// `record verify`: the versions that are named, or everything that can be signed: all versions, environments, the policy.
pub fn verify(site: &Site, references: &[Reference], at: Option<&str>) -> Result<Report, Error> {
    let repository = record::existing(site)?;
    let snapshot = repository.snapshot(at)?;
    let policy = snapshot.policy()?;
    let believed = policy.as_ref().map(|file| file.policy.clone());
    let look = Look { trust: Trust::of(site)?, policy: believed, at: site.caller.time() };
    let mut files = Vec::new();
    if references.is_empty() {
        if let Some(policy) = &policy {
            files.push(look.policy(&policy.signed.bytes, &policy.signed.signatures));
        }
        if let Some(file) = snapshot.heartbeat()? {
            files.push(look.heartbeat(&file.signed.bytes, &file.signed.signatures));
        }
        environments(&look, &snapshot, &mut files)?;
        for component in snapshot.components()? {
            for version in snapshot.versions(&component)? {
                if let Some(published) = snapshot.get(&component, &version)? {
                    look.version(&published, &mut files);
                }
            }
        }
    }
    for reference in references {
        look.version(&snapshot.resolve(reference)?, &mut files);
    }
    Ok(Report { commit: snapshot.commit_id().map(str::to_owned), configured: look.trust.is_some(), files })
}

/// Who signed the manifest of a version: the people this host knows, by their names, and unknown keys by their fingerprints.
pub(in crate::ops) fn who_signed(site: &Site, published: &Published) -> Result<Vec<String>, Error> {
    let look = Look { trust: Trust::of(site)?, policy: None, at: site.caller.time() };
    let (bytes, signatures) = (&published.manifest_bytes, &published.signatures);
    let (lines, _) = look.look(look.keyring(), &Namespace::manifest(), bytes, signatures);
    let signer = |line: SignatureLine| match line.refused {
        None => line.principals,
        Some(Why::Unknown) => line.fingerprint.map(|key| key.to_string()),
        Some(_) => None,
    };
    Ok(lines.into_iter().filter_map(signer).collect())
}

fn environments(look: &Look, snapshot: &Snapshot<'_>, files: &mut Vec<Verified>) -> Result<(), Error> {
    for name in snapshot.environments()? {
        let Some(file) = snapshot.environment(&name)? else { continue };
        let components: Vec<&ComponentType> = file.environment.components.keys().collect();
        let need = look.trust.as_ref().map_or(0, |trust| trust.environments);
        let path = SignedFile::Environment(&name).path();
        let act = Act::Environment(&name, &components);
        files.push(look.file(path, &Namespace::environment(&name), act, need, &file.bytes, &file.signatures));
    }
    Ok(())
}

impl Look {
    fn version(&self, published: &Published, files: &mut Vec<Verified>) {
        let (component, version) = (published.component(), published.version());
        let need = self.trust.as_ref().map_or(0, |trust| trust.require);
        let act = Act::Publish(component);
        let path = SignedFile::Manifest(component, version).path();
        let bytes = &published.manifest_bytes;
        files.push(self.file(path, &Namespace::manifest(), act, need, bytes, &published.signatures));
        if published.yanked.is_some() {
            let path = SignedFile::Yank(component, version).path();
            let signed = &published.yanked_signed;
            files.push(self.file(
                path,
                &Namespace::yank(component, version),
                act,
                need,
                &signed.bytes,
                &signed.signatures,
            ));
        }
    }

    fn policy(&self, bytes: &[u8], signatures: &[SignatureFile]) -> Verified {
        let pinned =
            self.trust.as_ref().and_then(|trust| trust.policy.as_ref().map(|(keyring, need)| (keyring, *need)));
        let (keyring, need) = pinned.map_or((self.keyring(), 0), |(keyring, need)| (Some(keyring), need));
        let path = SignedFile::Policy.path();
        let (signatures, people) = self.look(keyring, &Namespace::policy(), bytes, signatures);
        let trusted = people.len() >= need;
        Verified { file: path, signatures, people: people.len(), need, missing: Vec::new(), trusted }
    }

    /// No role is needed for it, and where the host asks for none it needs no signature.
    fn heartbeat(&self, bytes: &[u8], signatures: &[SignatureFile]) -> Verified {
        let need = usize::from(self.trust.as_ref().is_some_and(|trust| trust.heartbeat));
        let (signatures, people) = self.look(self.keyring(), &Namespace::heartbeat(), bytes, signatures);
        let (file, trusted) = (SignedFile::Heartbeat.path(), people.len() >= need);
        Verified { file, signatures, people: people.len(), need, missing: Vec::new(), trusted }
    }

    fn file(
        &self,
        file: String,
        namespace: &Namespace,
        act: Act<'_>,
        need: usize,
        bytes: &[u8],
        signatures: &[SignatureFile],
    ) -> Verified {
        let (signatures, people) = self.look(self.keyring(), namespace, bytes, signatures);
        let missing = self.policy.as_ref().map(|policy| lacks(policy, act, &people)).unwrap_or_default();
        let trusted = people.len() >= need && missing.is_empty();
        Verified { file, signatures, people: people.len(), need, missing, trusted }
    }

    fn keyring(&self) -> Option<&Keyring> {
        self.trust.as_ref().map(|trust| &trust.keyring)
    }

    fn look(
        &self,
        keyring: Option<&Keyring>,
        namespace: &Namespace,
        bytes: &[u8],
        signatures: &[SignatureFile],
    ) -> (Vec<SignatureLine>, Vec<Person>) {
        // Without a list of keys nobody is known, and what is no signature of these bytes is still told.
        let nobody = Keyring::default();
        let found = checked(keyring.unwrap_or(&nobody), namespace, bytes, signatures, self.at);
        let people = found.people();
        let good = |accepted: Accepted| SignatureLine {
            principals: Some(accepted.principals()),
            file: accepted.file,
            fingerprint: Some(accepted.fingerprint),
            refused: None,
        };
        let bad = found.rejected.into_iter().map(|rejected| SignatureLine {
            file: rejected.file,
            fingerprint: rejected.fingerprint,
            principals: None,
            refused: Some(rejected.why),
        });
        (found.accepted.into_iter().map(good).chain(bad).collect(), people)
    }
}
