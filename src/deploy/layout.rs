//! Where everything lies below a root. Names only: nothing here looks at the disk.

use std::path::{Path, PathBuf};

use crate::model::{ComponentType, Version};

/// The paths of one root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of the root at `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The root itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `components/`
    pub fn components(&self) -> PathBuf {
        self.root.join("components")
    }

    /// `components/<type>/`
    pub fn component(&self, component: &ComponentType) -> PathBuf {
        self.components().join(component.as_str())
    }

    /// `components/<type>/<version>/`
    pub fn version(&self, component: &ComponentType, version: &Version) -> PathBuf {
        self.component(component).join(version.as_str())
    }

    /// `components/<type>/current`
    pub fn current(&self, component: &ComponentType) -> PathBuf {
        self.component(component).join("current")
    }

    /// `links/`
    pub fn links(&self) -> PathBuf {
        self.root.join("links")
    }

    /// `links/<type>`
    pub fn link(&self, component: &ComponentType) -> PathBuf {
        self.links().join(component.as_str())
    }

    /// What `links/<type>` holds: `../components/<type>/current`.
    pub fn link_target(component: &ComponentType) -> PathBuf {
        Path::new("../components").join(component.as_str()).join("current")
    }

    /// `releases/`
    pub fn releases(&self) -> PathBuf {
        self.root.join("releases")
    }

    /// `releases/<n>/`
    pub fn release(&self, number: u64) -> PathBuf {
        self.releases().join(number.to_string())
    }

    /// What `releases/<n>/<type>` holds: `../../components/<type>/<version>`.
    pub fn release_target(component: &ComponentType, version: &Version) -> PathBuf {
        Path::new("../../components").join(component.as_str()).join(version.as_str())
    }

    /// `releases/current`
    pub fn current_release(&self) -> PathBuf {
        self.releases().join("current")
    }

    /// `.deploy-tool/`
    pub fn state(&self) -> PathBuf {
        self.root.join(".deploy-tool")
    }

    /// `.deploy-tool/format`
    pub fn format(&self) -> PathBuf {
        self.state().join("format")
    }

    /// `.deploy-tool/lock`
    pub fn lock(&self) -> PathBuf {
        self.state().join("lock")
    }

    /// `.deploy-tool/journal/`
    pub fn journals(&self) -> PathBuf {
        self.state().join("journal")
    }

    /// `.deploy-tool/staging/`
    pub fn staging(&self) -> PathBuf {
        self.state().join("staging")
    }

    /// The staging directory of one version.
    pub fn staged(&self, component: &ComponentType, version: &Version) -> PathBuf {
        self.staging().join(format!("{component}@{version}"))
    }

    /// `.deploy-tool/receipts/<type>/`
    pub fn receipts(&self, component: &ComponentType) -> PathBuf {
        self.state().join("receipts").join(component.as_str())
    }

    /// `.deploy-tool/receipts/<type>/<version>.json`
    pub fn receipt(&self, component: &ComponentType, version: &Version) -> PathBuf {
        self.receipts(component).join(format!("{version}.json"))
    }

    /// `.deploy-tool/receipts/<type>/<version>.files`
    pub fn inventory(&self, component: &ComponentType, version: &Version) -> PathBuf {
        self.receipts(component).join(format!("{version}.files"))
    }

    /// `.deploy-tool/pins/<type>/`
    pub fn pins(&self, component: &ComponentType) -> PathBuf {
        self.state().join("pins").join(component.as_str())
    }

    /// `.deploy-tool/pins/<type>/<version>`
    pub fn pin(&self, component: &ComponentType, version: &Version) -> PathBuf {
        self.pins(component).join(version.as_str())
    }

    /// `.deploy-tool/bad/<type>/`
    pub fn bad(&self, component: &ComponentType) -> PathBuf {
        self.state().join("bad").join(component.as_str())
    }

    /// `.deploy-tool/checks/<n>.json`
    pub fn check(&self, number: u64) -> PathBuf {
        self.state().join("checks").join(format!("{number}.json"))
    }

    /// `.deploy-tool/history.jsonl`
    pub fn history(&self) -> PathBuf {
        self.state().join("history.jsonl")
    }

    /// `.deploy-tool/custom-links.json`
    pub fn custom_links(&self) -> PathBuf {
        self.state().join("custom-links.json")
    }

    /// `.deploy-tool/seen.json`
    pub fn seen(&self) -> PathBuf {
        self.state().join("seen.json")
    }

    /// `.deploy-tool/rejected/`
    pub fn rejected(&self) -> PathBuf {
        self.state().join("rejected")
    }

    /// The temporary name beside `link` from which it is renamed into place. Names that begin with a dot are no
    /// component types and no versions, so nothing else is ever called so.
    pub fn temporary(link: &Path) -> PathBuf {
        let name = link.file_name().unwrap_or_default().to_string_lossy();
        link.with_file_name(format!(".{name}.deploy-tool-new"))
    }
}
