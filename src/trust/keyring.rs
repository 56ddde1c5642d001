//! Whose signatures count, and how many people that are.

use std::fmt;

use super::pattern::PatternList;
use super::revoked::Revoked;
use super::signature::{Fingerprint, Namespace, Signature, SignatureError};
use super::signers::{AllowedSigners, Line};
use crate::model::Timestamp;

/// The keys that are trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyring {
    /// Which key is whose.
    pub signers: AllowedSigners,
    /// Those that count no more.
    pub revoked: Revoked,
}

/// What was found of the signatures of one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Those that count, in the order they were given.
    pub accepted: Vec<Accepted>,
    /// The others.
    pub rejected: Vec<Rejected>,
}

/// A signature that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The name of its file.
    pub file: String,
    /// The key.
    pub fingerprint: Fingerprint,
    /// Whose key it is: the principals of each line that allows it.
    lines: Vec<PatternList>,
}

impl Accepted {
    /// Whose key it is, as the list of signers says.
    pub fn principals(&self) -> String {
        self.lines.iter().map(PatternList::as_str).collect::<Vec<_>>().join(",")
    }
}

/// A signature that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The name of its file.
    pub file: String,
    /// The key, where it can be read.
    pub fingerprint: Option<Fingerprint>,
    /// Why not.
    pub why: Why,
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] SignatureError),
    /// A kind of key that is not checked here.
    #[error("`{0}` keys are not supported")]
    Unsupported(String),
    /// It was made for something else.
    #[error("made for `{0}`")]
    Namespace(String),
    /// It is of other content.
    #[error("not over this content")]
    OtherContent,
    /// The key is revoked.
    #[error("the key is revoked")]
    Revoked,
    /// The key is on no line.
    #[error("nobody's key")]
    Unknown,
    /// The key is not for this kind of file.
    #[error("a key for other files")]
    NotForThis,
    /// The key is not valid yet.
    #[error("the key is valid from {0}")]
    NotYetValid(Timestamp),
    /// The key is not valid any more.
    #[error("the key was valid until {0}")]
    Expired(Timestamp),
}

/// Somebody who signed, with one key or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    lines: Vec<PatternList>,
    keys: Vec<Fingerprint>,
}

impl Person {
    /// Whether the keys are those of this principal.
    pub fn is(&self, principal: &str) -> bool {
        self.lines.iter().any(|list| list.matches(principal))
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lists: Vec<_> = self.lines.iter().map(PatternList::as_str).collect();
        lists.dedup();
        f.write_str(&lists.join(","))
    }
}

impl Keyring {
    /// What counts of the signatures of a file; `signatures` are names of files with what they hold, `at` is the time at
    /// which keys have to be valid.
    pub fn check<'s>(
        &self,
        namespace: &Namespace,
        message: &[u8],
        signatures: impl IntoIterator<Item = (&'s str, &'s [u8])>,
        at: Timestamp,
    ) -> Checked {
        let mut checked = Checked::default();
        for (file, bytes) in signatures {
            let file = file.to_owned();
            match Signature::parse(bytes) {
                Err(error) => checked.rejected.push(Rejected { file, fingerprint: None, why: error.into() }),
                Ok(signature) => {
                    let fingerprint = signature.fingerprint();
                    match self.accept(namespace, message, &signature, at) {
                        Ok(lines) => checked.accepted.push(Accepted { file, fingerprint, lines }),
                        Err(why) => checked.rejected.push(Rejected { file, fingerprint: Some(fingerprint), why }),
                    }
                }
            }
        }
        checked
    }

    /// The principals of every line that allows the signature.
    fn accept(
        &self,
        namespace: &Namespace,
        message: &[u8],
        signature: &Signature,
        at: Timestamp,
    ) -> Result<Vec<PatternList>, Why> {
        if !signature.is_supported() {
            return Err(Why::Unsupported(signature.algorithm()));
        }
        if signature.namespace() != namespace.as_str() {
            return Err(Why::Namespace(signature.namespace().to_owned()));
        }
        if !signature.is_over(namespace, message) {
            return Err(Why::OtherContent);
        }
        if self.revoked.has(signature.key()) {
            return Err(Why::Revoked);
        }
        let mut why = Why::Unknown;
        let mut lines = Vec::new();
        for line in self.signers.0.iter().filter(|line| line.key == *signature.key()) {
            match allows(line, namespace, at) {
                Ok(()) => lines.push(line.principals.clone()),
                Err(reason) => why = reason,
            }
        }
        if lines.is_empty() { Err(why) } else { Ok(lines) }
    }
}

/// As ssh-keygen has it: both bounds are still good.
fn allows(line: &Line, namespace: &Namespace, at: Timestamp) -> Result<(), Why> {
    if !line.namespaces.as_ref().is_none_or(|list| list.matches(namespace.as_str())) {
        return Err(Why::NotForThis);
    }
    if let Some(from) = line.valid_after.filter(|from| at < *from) {
        return Err(Why::NotYetValid(from));
    }
    match line.valid_before.filter(|until| at > *until) {
        Some(until) => Err(Why::Expired(until)),
        None => Ok(()),
    }
}

impl Checked {
    /// The people whose signatures count. Keys that may be the same person's are: of one name, or of lists with
    /// patterns, which say of nobody who it is.
    pub fn people(&self) -> Vec<Person> {
        let mut people: Vec<Person> = Vec::new();
        for accepted in &self.accepted {
            let same = |person: &Person| {
                person.keys.contains(&accepted.fingerprint)
                    || person.lines.iter().any(|list| accepted.lines.iter().any(|own| own.may_share_a_name_with(list)))
            };
            let (mut known, others): (Vec<_>, Vec<_>) = people.into_iter().partition(same);
            let mut one = Person { lines: accepted.lines.clone(), keys: vec![accepted.fingerprint] };
            for person in known.drain(..) {
                one.lines.extend(person.lines);
                one.keys.extend(person.keys);
            }
            one.lines.sort();
            one.lines.dedup();
            people = others;
            people.push(one);
        }
        people
    }
}
