//! What belongs at a path of the records directory.

use crate::model::{ComponentType, EnvironmentName, Version};
use crate::records::signatures::END;
use crate::records::{ENVIRONMENTS, HEARTBEAT, MANIFEST, PACKAGES, POLICY, RECORD, YANKED};

/// What a path is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The manifest of a version.
    Manifest(ComponentType, Version),
    /// The record of a version.
    Record(ComponentType, Version),
    /// The note that withdraws a version.
    Yank(ComponentType, Version),
    /// An environment.
    Environment(EnvironmentName),
    /// The policy.
    Policy,
    /// The heartbeat.
    Heartbeat,
    /// A signature of one of these.
    Signature(Box<Place>),
    /// A file that explains the records: a schema, a `README.md`.
    Beside,
    /// Nothing.
    Nothing,
}

impl Place {
    /// What the path inside the records directory is for.
    pub fn of(path: &str) -> Self {
        if let Some((file, signature)) = path.rsplit_once('/')
            && let Some(file) = file.strip_suffix(".sigs")
        {
            return match (Self::of(file), signature.strip_suffix(END)) {
                (Self::Nothing | Self::Beside | Self::Record(..) | Self::Signature(_), _) | (_, None | Some("")) => {
                    Self::Nothing
                }
                (signed, Some(_)) => Self::Signature(Box::new(signed)),
            };
        }
        let names: Vec<&str> = path.split('/').collect();
        let known = match names[..] {
            [PACKAGES, component, version, file] => version_file(component, version, file),
            [ENVIRONMENTS, file] => {
                file.strip_suffix(".json").and_then(|name| name.parse().ok()).map(Self::Environment)
            }
            [POLICY] => Some(Self::Policy),
            [HEARTBEAT] => Some(Self::Heartbeat),
            ["schema", file] if file.ends_with(".schema.json") => Some(Self::Beside),
            ["README" | "README.md" | ".gitattributes"] => Some(Self::Beside),
            _ => None,
        };
        known.unwrap_or(Self::Nothing)
    }

    /// Whether the path has one of the names of the records at its top: what else lies in a repository whose top is the
    /// records directory is none of ours.
    pub(super) fn is_ours(path: &str) -> bool {
        let top = path.split('/').next().unwrap_or_default();
        [PACKAGES, ENVIRONMENTS, POLICY, HEARTBEAT].contains(&top.strip_suffix(".sigs").unwrap_or(top))
    }

    /// The version that the file is one of.
    pub(super) fn version(&self) -> Option<(&ComponentType, &Version)> {
        match self {
            Self::Manifest(component, version) | Self::Record(component, version) | Self::Yank(component, version) => {
                Some((component, version))
            }
            Self::Signature(signed) => signed.version(),
            _ => None,
        }
    }
}

fn version_file(component: &str, version: &str, file: &str) -> Option<Place> {
    let (component, version) = (component.parse().ok()?, version.parse().ok()?);
    match file {
        MANIFEST => Some(Place::Manifest(component, version)),
        RECORD => Some(Place::Record(component, version)),
        YANKED => Some(Place::Yank(component, version)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_for_one_thing_or_for_nothing() {
        let model = || ("model".parse().expect("a type"), "1.0".parse().expect("a version"));
        let manifest = || Place::Manifest(model().0, model().1);
        assert_eq!(Place::of("packages/model/1.0/manifest.json"), manifest());
        let signature = Place::of("packages/model/1.0/manifest.json.sigs/ab.sig");
        assert_eq!(signature, Place::Signature(Box::new(manifest())));
        assert_eq!(Place::of("policy.json.sigs/ab.sig"), Place::Signature(Box::new(Place::Policy)));
        assert_eq!(Place::of("schema/record.schema.json"), Place::Beside);
        for nothing in [
            "packages/model/1.0/notes.txt",
            "packages/model/1.0/manifest.json/x",
            "packages/model/latest/manifest.json",
            "packages/model/1.0/record.json.sigs/ab.sig",
            "packages/model/1.0/manifest.json.sigs/ab",
            "packages/model/1.0/manifest.json.sigs/.sig",
            "packages/../1.0/manifest.json",
            "environments/prod.yaml",
            "environments/.json",
            "policy.json.sigs/a.sig.sigs/b.sig",
            ".env",
        ] {
            assert_eq!(Place::of(nothing), Place::Nothing, "{nothing}");
        }
        assert!(
            Place::is_ours("policy.json.sigs/a.sig") && Place::is_ours("packages") && !Place::is_ours("src/lib.rs")
        );
    }
}
