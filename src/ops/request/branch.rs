//! The name of the branch that a change is proposed on: it follows from the change, so that the same change finds it again.

use std::collections::BTreeMap;

use crate::model::{ComponentType, EnvironmentName, Sha256, Version};
use crate::records::is_branch_name;

/// The longest name that is put together from versions.
const LONGEST: usize = 120;

/// What a change is about, for the name of its branch.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) enum Scope<'a> {
    /// New versions.
    Publish,
    /// An environment.
    Environment(&'a EnvironmentName),
}

impl Scope<'_> {
    /// `deploy-tool/prod/model-1.0.1`, with `_` between several; one that is left out is `without-model`.
    pub(super) fn branch(&self, moves: &BTreeMap<ComponentType, Option<Version>>) -> String {
        let scope = match self {
            Scope::Publish => "publish".to_owned(),
            // So that it is no other change's.
            Scope::Environment(name) if name.as_str() == "publish" => "publish/env".to_owned(),
            Scope::Environment(name) => name.to_string(),
        };
        let one = |(component, version): (&ComponentType, &Option<Version>)| match version {
            Some(version) => format!("{component}-{version}"),
            None => format!("without-{component}"),
        };
        let mut parts = moves.iter().map(one).collect::<Vec<_>>().join("_");
        if parts.len() > LONGEST {
            parts = format!("{}-components-{}", moves.len(), Sha256::of(parts.as_bytes()).short());
        }
        let branch = format!("deploy-tool/{scope}/{parts}");
        // A name or version may have dots in a way that git does not take.
        match is_branch_name(&branch) {
            true => branch,
            false => branch.replace('.', "-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn branch(scope: &str, moves: &[(&str, Option<&str>)]) -> String {
        let of = |(component, version): &(&str, Option<&str>)| {
            let version = version.map(|version| version.parse().expect("a version"));
            (component.parse().expect("a type"), version)
        };
        let name: EnvironmentName = scope.parse().expect("a name");
        Scope::Environment(&name).branch(&moves.iter().map(of).collect())
    }

    #[test]
    fn the_branch_follows_from_the_change() {
        assert_eq!(branch("prod", &[("model", Some("1.0.1"))]), "deploy-tool/prod/model-1.0.1");
        let several = [("model", Some("1.0.1+cpu")), ("runtime", None), ("config", Some("v3"))];
        assert_eq!(branch("prod", &several), "deploy-tool/prod/config-v3_model-1.0.1+cpu_without-runtime");
        assert_eq!(branch("publish", &[("model", Some("1"))]), "deploy-tool/publish/env/model-1");
        let long = "9".repeat(128);
        let name = branch("prod", &[("model", Some(&long))]);
        assert!(name.starts_with("deploy-tool/prod/1-components-") && name.len() < 64, "{name}");
        for name in ["a.lock", "a..b", "a."] {
            assert!(is_branch_name(&branch(name, &[("model", Some("1"))])), "{name}");
        }
        let publish = Scope::Publish.branch(&[("model".parse().expect("a type"), "1".parse().ok())].into());
        assert_eq!(publish, "deploy-tool/publish/model-1");
    }
}
