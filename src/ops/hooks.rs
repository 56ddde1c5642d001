//! Running hooks: what they are told, and what came of them.
//!
//! ```text
//! DEPLOY_TOOL_HOOK         pre_switch, post_switch or health
//! DEPLOY_TOOL_ACTION       deploy, switch, undeploy or rollback
//! DEPLOY_TOOL_ROOT         the root
//! DEPLOY_TOOL_RELEASE      the number of the release that is made
//! DEPLOY_TOOL_COMPONENTS   the components it changes, with spaces between
//! DEPLOY_TOOL_FROM_MODEL   the version before and
//! DEPLOY_TOOL_TO_MODEL     after, of each of them; empty where there is none. Letters are upper case, what is neither
//!                          letter nor digit is `_`
//! ```
//!
//! Besides, a hook has the caller's environment without the logins of targets. It is run in the directory of the
//! configuration, while the root is locked: it may read the root, not change it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Site;
use super::change::Moved;
use crate::config::{Hook, Program};
use crate::deploy::{Action, Check, HistoryEntry, Outcome, Run};
use crate::model::{ComponentType, Version};
use crate::process::{self, Command, Ended};

/// What the variables of ours begin with.
const OURS: &str = "DEPLOY_TOOL_";

/// What hooks are told of one release.
pub(super) struct Scene<'a> {
    site: &'a Site,
    environment: BTreeMap<String, String>,
}

impl<'a> Scene<'a> {
    /// The scene of the release that `entry` is about, which changes `moved`.
    pub fn of(site: &'a Site, entry: &HistoryEntry, moved: &[Moved]) -> Self {
        let secrets = site.config.secrets();
        let is_secret = |value: &str| secrets.iter().any(|secret| secret.expose() == value);
        let inherited = site.ambient.without_logins();
        let inherited = inherited.filter(|(name, value)| !name.starts_with(OURS) && !is_secret(value));
        let mut environment: BTreeMap<_, _> = inherited.map(|(name, value)| (name.clone(), value.clone())).collect();
        let action = match entry.action {
            Action::Deploy => "deploy",
            Action::Switch => "switch",
            Action::Rollback => "rollback",
            Action::Undeploy => "undeploy",
        };
        let components = moved.iter().map(|moved| moved.component.as_str()).collect::<Vec<_>>().join(" ");
        let mut tell = |name: String, value: String| environment.insert(format!("{OURS}{name}"), value);
        tell("ACTION".to_owned(), action.to_owned());
        tell("ROOT".to_owned(), site.root.display().to_string());
        tell("RELEASE".to_owned(), entry.release.to_string());
        tell("COMPONENTS".to_owned(), components);
        let version = |version: &Option<Version>| version.as_ref().map(Version::to_string).unwrap_or_default();
        for moved in moved {
            tell(format!("FROM_{}", variable(&moved.component)), version(&moved.from));
            tell(format!("TO_{}", variable(&moved.component)), version(&moved.to));
        }
        Self { site, environment }
    }

    /// Runs `hooks` one after the other until one fails; says whether all went well.
    pub fn all(&self, check: Check, hooks: &[Hook], runs: &mut Vec<Run>) -> bool {
        hooks.iter().all(|hook| {
            let run = self.program(check, &hook.program, hook.timeout);
            let well = run.outcome == Outcome::Ok;
            runs.push(run);
            well
        })
    }

    /// Runs one program to its end, or until `limit` is over.
    pub fn program(&self, check: Check, program: &Program, limit: Duration) -> Run {
        let mut environment = self.environment.clone();
        let name = match check {
            Check::PreSwitch => "pre_switch",
            Check::PostSwitch => "post_switch",
            Check::Health => "health",
        };
        environment.insert(format!("{OURS}HOOK"), name.to_owned());
        let (what, dir) = (program.shown.clone(), &self.site.config.base);
        let command = Command { program: &program.name, args: &program.args, dir, environment: &environment };
        match process::run(&command, limit) {
            Ok(ran) => Run {
                check,
                what,
                outcome: match ran.ended {
                    Ended::Exit(0) => Outcome::Ok,
                    Ended::Exit(status) => Outcome::Exit(status),
                    Ended::Signal(signal) => Outcome::Signal(signal),
                    Ended::TimedOut => Outcome::TimedOut,
                },
                milliseconds: milliseconds(ran.took),
                output: String::from_utf8_lossy(&ran.output).into_owned(),
            },
            Err(error) => {
                let outcome = Outcome::NotStarted(error.source.to_string());
                Run { check, what, outcome, milliseconds: 0, output: String::new() }
            }
        }
    }
}

pub(super) fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn variable(component: &ComponentType) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    component.as_str().chars().map(letter).collect()
}
