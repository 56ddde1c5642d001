//! Whether what a request to merge brings is signed as it has to be, and by whom the policy names: the policy of BASE, never
//! the one that the request brings.
//!
//! A signature that the request brings has to count. What it only adds signatures to may still lack some; what it brings or
//! changes may not. Nothing can be signed that is taken away, so nobody takes away what the policy has a role for.

use std::collections::{BTreeMap, BTreeSet};

use super::commit::lacks;
use super::{Trust, checked};
use crate::model::{Act, ComponentType, Environment, Policy};
use crate::ops::check::{Fact, Finding};
use crate::ops::{Error, Site};
use crate::records::{Place, Request, Severity};
use crate::trust::{Checked, Keyring, Namespace, Person, Signature, Why};

/// Adds what is wrong with signatures, and makes errors of what is taken away and may not be.
///
/// # Errors
///
/// Lists of keys, or a policy of BASE, that cannot be read.
pub(in crate::ops) fn review(site: &Site, request: &Request<'_>, found: &mut Vec<Finding>) -> Result<(), Error> {
    let policy = match &request.base {
        Some(base) => base.policy()?,
        // All of it is new, and what is wrong with its policy is told of already.
        None => request.head.policy().ok().flatten(),
    };
    let policy = policy.map(|file| file.policy);
    let look = Look { trust: Trust::of(site)?, policy: policy.as_ref(), request, now: site.caller.time() };
    let mut signed: BTreeMap<&str, &Place> = BTreeMap::new();
    for changed in &request.changes {
        match &changed.place {
            Place::Signature(of) => {
                let file = changed.path.rsplit_once(".sigs/").map(|(file, _)| file);
                signed.insert(file.unwrap_or_default(), of);
            }
            place => drop(signed.insert(&changed.path, place)),
        }
    }
    for (path, place) in signed {
        look.file(path, place, found)?;
    }
    Ok(())
}

struct Look<'a, 'r> {
    trust: Option<Trust>,
    policy: Option<&'a Policy>,
    request: &'a Request<'r>,
    now: crate::model::Timestamp,
}

impl Look<'_, '_> {
    fn file(&self, path: &str, place: &Place, found: &mut Vec<Finding>) -> Result<(), Error> {
        let Some(namespace) = namespace(place) else { return Ok(()) };
        let before = self.request.bytes_before(path)?;
        let components = components(place, &[before.clone(), self.request.bytes(path)?]);
        let components: Vec<&ComponentType> = components.iter().collect();
        let act = act(place, &components);
        let Some(bytes) = self.request.bytes(path)? else {
            let asks = |policy: &&Policy| act.is_some_and(|act| !lacks(policy, act, &[]).is_empty());
            let of_this = found.iter_mut().filter(|finding| finding.file == path && finding.rule.ends_with("-removed"));
            if self.policy.is_some_and(|policy| asks(&policy)) {
                of_this.for_each(|finding| finding.severity = Severity::Error);
            }
            return Ok(());
        };
        // Of what is no such file it is told where that stands.
        if found.iter().any(|finding| finding.file == path && matches!(finding.rule, "malformed" | "newer-schema")) {
            return Ok(());
        }
        let is_changed = before.as_deref() != Some(&bytes);
        if !is_changed && self.removed(path, &namespace, &bytes, found)? {
            return Ok(());
        }
        let checked = self.checked(place, &namespace, path, &bytes)?;
        if self.refused(path, &checked, found) {
            return Ok(());
        }
        let people = checked.people();
        let names = people.iter().map(Person::to_string).collect::<Vec<_>>().join("; ");
        let finding = |rule| match is_changed {
            true => Finding::error(rule, path, 1),
            false => Finding::warning(rule, path, 1),
        };
        let need = self.need(place);
        if people.len() < need {
            found.push(
                finding("too-few-signatures").with("have", people.len()).with("need", need).with("people", names),
            );
            return Ok(());
        }
        let Some((policy, act)) = self.policy.zip(act) else { return Ok(()) };
        let lacks = lacks(policy, act, &people);
        if lacks.is_empty() {
            return Ok(());
        }
        let rule = if self.trust.is_some() { "not-allowed" } else { "nobody-known" };
        found.push(finding(rule).fact("lacks", Fact::Lacks(lacks)).with("people", names));
        Ok(())
    }

    /// How many people have to sign, whatever the policy says.
    fn need(&self, place: &Place) -> usize {
        let Some(trust) = &self.trust else { return 0 };
        match place {
            Place::Manifest(..) => trust.require,
            Place::Environment(_) => trust.environments,
            Place::Policy => trust.policy.as_ref().map_or(0, |(_, need)| *need),
            Place::Heartbeat => 1,
            _ => 0,
        }
    }

    fn checked(&self, place: &Place, namespace: &Namespace, path: &str, bytes: &[u8]) -> Result<Checked, Error> {
        let nobody = Keyring::default();
        let keyring = match (&self.trust, place) {
            (Some(trust), Place::Policy) => trust.policy.as_ref().map_or(&trust.keyring, |(keyring, _)| keyring),
            (Some(trust), _) => &trust.keyring,
            (None, _) => &nobody,
        };
        let signatures = self.request.signatures(path)?;
        Ok(checked(keyring, namespace, bytes, &signatures, self.now))
    }

    /// Tells of signatures that the request brings and that do not count.
    fn refused(&self, path: &str, checked: &Checked, found: &mut Vec<Finding>) -> bool {
        let brought = |file: &str| {
            let path = format!("{path}.sigs/{file}");
            self.request.changes.iter().any(|changed| changed.path == path && changed.is.is_some())
        };
        // Without a list of keys nobody is known.
        let counts = |why: &Why| self.trust.is_none() && *why == Why::Unknown;
        let mut any = false;
        for rejected in checked.rejected.iter().filter(|rejected| brought(&rejected.file) && !counts(&rejected.why)) {
            let key = rejected.fingerprint.map_or_else(|| rejected.file.clone(), |key| key.to_string());
            let finding = Finding::error("signature", &format!("{path}.sigs/{}", rejected.file), 1).with("key", key);
            found.push(finding.fact("why", Fact::Why(rejected.why.clone())));
            any = true;
        }
        any
    }

    /// Tells of signatures that are taken away from a file that stays as it is.
    fn removed(
        &self,
        path: &str,
        namespace: &Namespace,
        bytes: &[u8],
        found: &mut Vec<Finding>,
    ) -> Result<bool, Error> {
        let mut any = false;
        let above = format!("{path}.sigs/");
        for changed in &self.request.changes {
            if !changed.path.starts_with(&above) || changed.is.is_some() {
                continue;
            }
            let was = self.request.bytes_before(&changed.path)?.unwrap_or_default();
            // One of former content says nothing any more.
            if Signature::parse(&was).is_ok_and(|signature| signature.is_over(namespace, bytes)) {
                found.push(Finding::error("signature-removed", &changed.path, 1).with("signed", path));
                any = true;
            }
        }
        Ok(any)
    }
}

fn namespace(place: &Place) -> Option<Namespace> {
    Some(match place {
        Place::Manifest(..) => Namespace::manifest(),
        Place::Yank(component, version) => Namespace::yank(component, version),
        Place::Environment(name) => Namespace::environment(name),
        Place::Policy => Namespace::policy(),
        Place::Heartbeat => Namespace::heartbeat(),
        Place::Record(..) | Place::Signature(_) | Place::Beside | Place::Nothing => return None,
    })
}

/// What the policy judges; nothing for what it has no role for.
fn act<'a>(place: &'a Place, components: &'a [&'a ComponentType]) -> Option<Act<'a>> {
    match place {
        Place::Manifest(component, _) | Place::Yank(component, _) => Some(Act::Publish(component)),
        Place::Environment(name) => Some(Act::Environment(name, components)),
        Place::Policy => Some(Act::Policy),
        _ => None,
    }
}

/// The components that an environment names or named: to take one away is to deploy it, too.
fn components(place: &Place, sides: &[Option<Vec<u8>>]) -> BTreeSet<ComponentType> {
    let read = |bytes: &Vec<u8>| Environment::parse(bytes).ok();
    let environments = sides.iter().flatten().filter(|_| matches!(place, Place::Environment(_))).filter_map(read);
    environments.flat_map(|environment| environment.components.into_keys()).collect()
}
