//! `deploy.trust`: whose signatures what is deployed needs.

use std::path::Path;

use super::error::{Error, Problem};
use super::places::span;
use super::reader::{Item, keys, path};
use super::settings::{PolicyTrust, Trust, TrustedKeys};
use crate::model::Span;

/// More people never sign one file.
const MAX_PEOPLE: i64 = 64;

/// The section; without a value for `require` one signature is needed.
pub(super) fn trust(item: Item<'_>, base: &Path) -> Result<Trust, Error> {
    let without = item.error(Problem::Missing { name: "allowed_signers" });
    let known = ["allowed_signers", "revoked", "require", "environments", "policy", "max_age"];
    let [signers, revoked, require, environments, policy_item, max_age] = keys(Some(item), known)?;
    Ok(Trust {
        keys: TrustedKeys { allowed_signers: path(signers, base)?.ok_or(without)?, revoked: path(revoked, base)? },
        require: people(require, 1)?,
        environments: people(environments, 0)?,
        policy: policy_item.map(|item| policy(item, base)).transpose()?,
        max_age: max_age.map(|item| span(&item)).transpose()?.map(Span),
    })
}

fn policy(item: Item<'_>, base: &Path) -> Result<PolicyTrust, Error> {
    let without = item.error(Problem::Missing { name: "allowed_signers" });
    let [signers, revoked, require] = keys(Some(item), ["allowed_signers", "revoked", "require"])?;
    let keys = TrustedKeys { allowed_signers: path(signers, base)?.ok_or(without)?, revoked: path(revoked, base)? };
    let require = match require {
        Some(item) => usize::try_from(item.number(1, MAX_PEOPLE)?).unwrap_or(1),
        None => 1,
    };
    Ok(PolicyTrust { keys, require })
}

/// How many people: `true` for one, `false` for none, or a number.
fn people(item: Option<Item<'_>>, default: usize) -> Result<usize, Error> {
    let Some(item) = item else { return Ok(default) };
    match item.text()?.as_str() {
        "true" => Ok(1),
        "false" => Ok(0),
        _ => Ok(usize::try_from(item.number(0, MAX_PEOPLE)?).unwrap_or(default)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::super::{Config, Error, parse};
    use super::*;

    fn read(text: &str) -> Result<Config, Error> {
        parse(text, Path::new("/p/.deploy-tool.yaml"), &|_| None, None).map(|(config, _)| config)
    }

    #[test]
    fn what_is_not_said_asks_for_one_signature_of_a_manifest_and_none_of_an_environment() {
        let trust =
            |text: &str| read(&format!("deploy: {{trust: {{{text}}}}}")).expect("good").deploy.trust.expect("given");
        let plain = trust("allowed_signers: keys/signers");
        assert_eq!(plain.keys.allowed_signers, PathBuf::from("/p/keys/signers"));
        assert_eq!((plain.require, plain.environments, plain.policy), (1, 0, None));
        let all = "allowed_signers: /s, revoked: /r, require: 2, environments: true, policy: {allowed_signers: /o}";
        let all = trust(all);
        assert_eq!((all.keys.revoked, all.require, all.environments), (Some("/r".into()), 2, 1));
        assert_eq!(all.policy.map(|policy| policy.require), Some(1));
        assert_eq!(trust("allowed_signers: /s, require: false").require, 0);
        assert_eq!(plain.max_age, None);
        assert_eq!(
            trust("allowed_signers: /s, max_age: 7d").max_age.map(|span| span.to_string()),
            Some("1w".to_owned())
        );
        assert_eq!(read("deploy: {}").expect("good").deploy.trust, None);
    }

    #[test]
    fn without_keys_nothing_can_be_trusted() {
        for (text, key) in [
            ("deploy: {trust: {require: true}}", "deploy.trust"),
            ("deploy: {trust: {allowed_signers: /s, policy: {require: 2}}}", "deploy.trust.policy"),
            ("deploy: {trust: {allowed_signers: /s, require: 65}}", "deploy.trust.require"),
            ("deploy: {trust: {allowed_signers: /s, requires: 1}}", "deploy.trust.requires"),
            ("deploy: {trust: {allowed_signers: /s, max_age: 0s}}", "deploy.trust.max_age"),
            (
                "deploy: {trust: {allowed_signers: /s, policy: {allowed_signers: /o, require: 0}}}",
                "deploy.trust.policy.require",
            ),
        ] {
            assert_eq!(read(text).expect_err("refused").key, key, "{text}");
        }
    }
}
