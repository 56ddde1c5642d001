//! `records.forge`: where requests to change the records are opened.

use super::error::{Error, Problem};
use super::reader::{Item, keys, text};
use super::targets::{Secret, secret, url};

/// The kinds of hosting whose interface is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgeKind {
    /// GitHub, and GitHub Enterprise Server.
    GitHub,
    /// GitLab, hosted or own.
    GitLab,
    /// Gitea and Forgejo.
    Gitea,
}

/// `records.forge`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forge {
    /// What kind it is.
    pub kind: ForgeKind,
    /// The URL its interface begins with; where none is given, the one such a host has.
    pub api: Option<String>,
    /// The project, such as `owner/name`; the one in the remote's URL where none is given.
    pub project: Option<String>,
    /// The token; where none is given, the variables that such a host's own tools look at.
    pub token: Option<Secret>,
}

const KINDS: [(&str, ForgeKind); 4] = [
    ("github", ForgeKind::GitHub),
    ("gitlab", ForgeKind::GitLab),
    ("gitea", ForgeKind::Gitea),
    ("forgejo", ForgeKind::Gitea),
];

pub(super) fn forge(item: Item<'_>) -> Result<Forge, Error> {
    let kind = item.peek("type")?.ok_or_else(|| item.error(Problem::Missing { name: "type" }))?.choice(&KINDS)?;
    let [_, api, project, token] = keys(Some(item), ["type", "api", "project", "token"])?;
    Ok(Forge {
        kind,
        api: api.map(|item| url(&item)).transpose()?,
        project: text(project)?.map(|project| project.trim_matches('/').to_owned()),
        token: secret(token)?,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Problem, Warning, parse};
    use super::*;

    fn read(text: &str) -> Result<(Config, Vec<Warning>), Error> {
        let variable = |name: &str| (name == "BOT").then(|| "t0ken".to_owned());
        parse(text, Path::new("/p/.deploy-tool.yaml"), &variable, None)
    }

    #[test]
    fn a_forge_has_a_type_and_the_rest_is_optional() {
        let text = "records:\n  remote: upstream\n  forge: {type: forgejo, api: 'https://host/api/v1', project: /o/r/, token: '${BOT}'}";
        let (config, warnings) = read(text).expect("good");
        let forge = config.records.forge.clone().expect("a forge");
        assert_eq!((forge.kind, forge.api.as_deref()), (ForgeKind::Gitea, Some("https://host/api/v1")));
        assert_eq!((forge.project.as_deref(), config.records.remote.as_deref()), (Some("o/r"), Some("upstream")));
        assert!(warnings.is_empty() && config.secrets().len() == 1 && !format!("{config:?}").contains("t0ken"));
        // On a host without the variable the rest of the configuration stands.
        let (config, _) = read("records: {forge: {type: github, token: '${NOBODY}'}}").expect("good");
        assert!(config.records.forge.is_some_and(|forge| forge.token.is_none() && forge.api.is_none()));
        let (_, warnings) = read("records: {forge: {type: github, token: ghp_x}}").expect("read");
        assert!(matches!(&warnings[..], [Warning::LiteralSecret { key, .. }] if key == "records.forge.token"));
    }

    #[test]
    fn what_is_no_forge_is_refused() {
        let problem = |text: &str| read(text).expect_err("refused").problem;
        assert_eq!(*problem("records: {forge: {api: 'https://host'}}"), Problem::Missing { name: "type" });
        assert!(matches!(*problem("records: {forge: {type: svn}}"), Problem::Choice { .. }));
        assert!(matches!(*problem("records: {forge: {type: github, api: host}}"), Problem::Url { .. }));
        assert!(matches!(*problem("records: {remote: --upload-pack=x}"), Problem::Remote { .. }));
    }
}
