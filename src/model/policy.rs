//! The policy: who may publish what and deploy it where (`policy.json`).
//!
//! ```text
//! {
//!   "rules": [
//!     {"role": "publisher", "components": ["model*"], "principals": ["mei@example.org", "li@example.org"]},
//!     {"role": "deployer", "environments": ["prod"], "principals": ["ops@example.org"]},
//!     {"role": "approver", "environments": ["prod"], "principals": ["li@example.org", "wu@example.org"], "require": 1}
//!   ],
//!   "owners": {"principals": ["li@example.org", "wu@example.org"], "require": 2},
//!   "schema": 1                                                         optional; absent means 1
//! }
//! ```
//!
//! | what is signed | needs |
//! |---|---|
//! | the manifest of a version, the note that withdraws it | one rule for publishers of the component |
//! | an environment | for each component in it one rule for deployers and every rule for approvers, none of whom are counted for both |
//! | the policy itself | its owners |
//!
//! What no rule is for, nobody may do; `"require": 0` lets everybody. Nothing in this file that is not understood is passed
//! over: fields that this build does not know are refused, since they might take something back.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Serialize};

use super::manifest::parse;
use super::{ComponentType, EnvironmentName, SchemaError, matches_pattern};

/// Who may do what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What each rule lets its principals do.
    pub rules: Vec<Rule>,
    /// Who may change the policy; absent means nobody but whom hosts name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owners: Option<Owners>,
    /// The major number of the format; absent means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<u32>,
}

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Publishes and withdraws versions.
    Publisher,
    /// Says which versions an environment names.
    Deployer,
    /// Agrees to what an environment names.
    Approver,
    /// Changes the policy. No rule has this role: `owners` says who.
    #[serde(skip)]
    Owner,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publisher => "publisher",
            Self::Deployer => "deployer",
            Self::Approver => "approver",
            Self::Owner => "owner",
        })
    }
}

/// Lets so many of these principals, together, do what a role does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What they may do.
    pub role: Role,
    /// Patterns of the components it is for; absent means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub components: Option<Vec<String>>,
    /// Patterns of the environments it is for; absent means all. Of no meaning for publishers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environments: Option<Vec<String>>,
    /// Who: names as the host's list of allowed signers has them.
    pub principals: BTreeSet<String>,
    /// How many of them; absent means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require: Option<usize>,
}

/// Lets so many of these principals, together, change the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Owners {
    /// Who: names as the host's list of allowed signers has them.
    pub principals: BTreeSet<String>,
    /// How many of them; absent means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require: Option<usize>,
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    ///
    /// A newer major schema, JSON of another form, fields that are not known, or more principals required than are named.
    pub fn parse(bytes: &[u8]) -> Result<Self, SchemaError> {
        let policy: Self = parse(bytes)?;
        let rules = policy.rules.iter().map(|rule| (&rule.principals, rule.require));
        for (principals, require) in rules.chain(policy.owners.iter().map(|o| (&o.principals, o.require))) {
            let (need, have) = (require.unwrap_or(1), principals.len());
            if need > have {
                let never = format!("{need} of {have} principals are required, which can never be");
                return Err(SchemaError::Json(serde_json::Error::custom(never)));
            }
        }
        Ok(policy)
    }

    /// Every principal that is named.
    pub fn principals(&self) -> BTreeSet<&str> {
        let rules = self.rules.iter().flat_map(|rule| &rule.principals);
        rules.chain(self.owners.iter().flat_map(|owners| &owners.principals)).map(String::as_str).collect()
    }
}

/// What is done, and has to be signed for.
#[derive(Debug, Clone, Copy)]
pub enum Act<'a> {
    /// A version of this component is published or withdrawn.
    Publish(&'a ComponentType),
    /// This environment names these components.
    Environment(&'a EnvironmentName, &'a [&'a ComponentType]),
    /// The policy is changed.
    Policy,
}

/// Somebody who signed, by each name that is known of them.
pub type Signer = BTreeSet<String>;

/// What is missing for an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lack {
    /// The role that somebody has to have.
    pub role: Role,
    /// The component it is about; absent for the policy, and for an environment without components.
    #[serde(rename = "type")]
    pub component: Option<ComponentType>,
    /// How many have it and signed, as far as they count for this role.
    pub have: usize,
    /// How many it takes.
    pub need: usize,
    /// Who could; nobody where no rule is for it.
    pub principals: BTreeSet<String>,
}

/// Whether an act is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is missing; nothing where it is allowed.
    pub lacks: Vec<Lack>,
}

impl Verdict {
    /// Whether it is allowed.
    pub fn is_granted(&self) -> bool {
        self.lacks.is_empty()
    }
}

/// Who of the signers a rule names, and how many it takes.
struct Asked<'p> {
    principals: &'p BTreeSet<String>,
    need: usize,
    /// Which of the signers are among them, by number.
    have: BTreeSet<usize>,
}

impl<'p> Asked<'p> {
    fn new(principals: &'p BTreeSet<String>, require: Option<usize>, signers: &[Signer]) -> Self {
        let named = signers.iter().enumerate().filter(|(_, names)| !names.is_disjoint(principals));
        Self { principals, need: require.unwrap_or(1), have: named.map(|(number, _)| number).collect() }
    }

    fn lack(&self, role: Role, component: Option<&ComponentType>, have: usize) -> Lack {
        let (need, principals) = (self.need, self.principals.clone());
        Lack { role, component: component.cloned(), have: have.min(need), need, principals }
    }

    fn is_met(&self) -> bool {
        self.have.len() >= self.need
    }

    /// Whether both can be met with nobody counted twice. For two sets that is all it takes (Hall's theorem).
    fn is_met_beside(&self, other: &Self) -> bool {
        self.is_met() && other.is_met() && self.have.union(&other.have).count() >= self.need + other.need
    }
}

/// What of a policy an act lacks that these people signed for. Nothing else is looked at: who committed it, when, and with
/// what name.
pub fn judge(policy: &Policy, act: Act<'_>, signers: &[Signer]) -> Verdict {
    let mut lacks = Vec::new();
    match act {
        Act::Publish(component) => lacks.extend(one_of(policy, Role::Publisher, None, Some(component), signers).err()),
        Act::Environment(name, []) => lacks.extend(environment(policy, name, None, signers)),
        Act::Environment(name, components) => {
            lacks.extend(components.iter().flat_map(|component| environment(policy, name, Some(component), signers)));
        }
        Act::Policy => {
            let nobody = BTreeSet::new();
            let owners = policy.owners.as_ref().map_or((&nobody, None), |owners| (&owners.principals, owners.require));
            let asked = Asked::new(owners.0, owners.1, signers);
            if !asked.is_met() {
                lacks.push(asked.lack(Role::Owner, None, asked.have.len()));
            }
        }
    }
    Verdict { lacks }
}

/// Whether the policy names this person for any part of the act.
pub fn names(policy: &Policy, act: Act<'_>, signer: &Signer) -> bool {
    let every = |role: Role, environment: Option<&EnvironmentName>, component: Option<&ComponentType>| {
        rules(policy, role, environment, component).any(|rule| !signer.is_disjoint(&rule.principals))
    };
    match act {
        Act::Publish(component) => every(Role::Publisher, None, Some(component)),
        Act::Environment(name, []) => {
            [Role::Deployer, Role::Approver].iter().any(|role| every(*role, Some(name), None))
        }
        Act::Environment(name, components) => components.iter().any(|component| {
            [Role::Deployer, Role::Approver].iter().any(|role| every(*role, Some(name), Some(component)))
        }),
        Act::Policy => policy.owners.as_ref().is_some_and(|owners| !signer.is_disjoint(&owners.principals)),
    }
}

/// The rules of a role for an environment and a component; for any component where none is given.
fn rules<'p>(
    policy: &'p Policy,
    role: Role,
    environment: Option<&EnvironmentName>,
    component: Option<&ComponentType>,
) -> impl Iterator<Item = &'p Rule> {
    let is_for = |patterns: &Option<Vec<String>>, name: Option<&str>| match (patterns, name) {
        (Some(patterns), Some(name)) => patterns.iter().any(|pattern| matches_pattern(pattern, name)),
        _ => true,
    };
    policy.rules.iter().filter(move |rule| {
        rule.role == role
            && is_for(&rule.environments, environment.map(EnvironmentName::as_str))
            && is_for(&rule.components, component.map(ComponentType::as_str))
    })
}

/// One rule of the role that is met, or what the nearest one lacks.
fn one_of<'p>(
    policy: &'p Policy,
    role: Role,
    environment: Option<&EnvironmentName>,
    component: Option<&ComponentType>,
    signers: &[Signer],
) -> Result<Vec<Asked<'p>>, Lack> {
    let asked = rules(policy, role, environment, component);
    let asked: Vec<_> = asked.map(|rule| Asked::new(&rule.principals, rule.require, signers)).collect();
    let nearest = asked.iter().min_by_key(|asked| asked.need.saturating_sub(asked.have.len()));
    match nearest {
        None => {
            let nobody = BTreeSet::new();
            Err(Lack { role, component: component.cloned(), have: 0, need: 1, principals: nobody })
        }
        Some(nearest) if !nearest.is_met() => Err(nearest.lack(role, component, nearest.have.len())),
        Some(_) => Ok(asked.into_iter().filter(Asked::is_met).collect()),
    }
}

/// What one component of an environment lacks: one rule for deployers, and every rule for approvers besides.
fn environment(
    policy: &Policy,
    name: &EnvironmentName,
    component: Option<&ComponentType>,
    signers: &[Signer],
) -> Vec<Lack> {
    let approvers = rules(policy, Role::Approver, Some(name), component);
    let approvers: Vec<_> = approvers.map(|rule| Asked::new(&rule.principals, rule.require, signers)).collect();
    let unmet = approvers.iter().filter(|asked| !asked.is_met());
    let mut lacks: Vec<_> = unmet.map(|asked| asked.lack(Role::Approver, component, asked.have.len())).collect();
    match one_of(policy, Role::Deployer, Some(name), component, signers) {
        Err(lack) => lacks.insert(0, lack),
        Ok(deployers) => {
            let fits = |deployer: &Asked<'_>| approvers.iter().all(|approver| deployer.is_met_beside(approver));
            if lacks.is_empty() && !deployers.iter().any(fits) {
                // Somebody deploys and approves: one signature more of whoever did not is missing.
                let approver = approvers.iter().find(|asked| !deployers.iter().any(|d| d.is_met_beside(asked)));
                lacks.extend(approver.or(approvers.first()).map(|a| a.lack(Role::Approver, component, a.need - 1)));
            }
        }
    }
    lacks
}

#[cfg(test)]
mod tests;
