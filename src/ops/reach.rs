//! Where the files of published versions may be read from: the host's own targets, opened once for all files of a run, so that
//! one file comes over the connections of the one before.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Error, Site};
use crate::model::Place;
use crate::records::Published;
use crate::target::{self, Target};
use crate::transfer::{Refused, Source, Targets, source};

/// The name of the source that is a URL given by the caller; no target can be called so.
pub(super) const GIVEN: &str = "--url";

/// What this host can reach.
pub(super) struct Reach<'a> {
    site: &'a Site,
    targets: Targets,
    /// Places of records that are read without a login, by name and place.
    anonymous: Mutex<BTreeMap<String, Option<Arc<dyn Target>>>>,
}

impl<'a> Reach<'a> {
    /// Opens the configured targets. `top` is the work tree of the records repository, if there is one.
    pub fn of(site: &'a Site, top: Option<&Path>) -> Result<Self, Error> {
        let mut targets = Targets::default();
        for target in &site.config.publish.targets {
            match target::open(target, &site.ambient, top) {
                Ok(target) => targets.usable.push(target),
                Err(error) => drop(targets.broken.insert(target.name.clone(), Arc::new(error))),
            }
        }
        if let Some(top) = top {
            // Relative places are read without any configured target, too.
            targets.usable.push(Arc::new(target::Filesystem::new("records", top)?.with_records(top, true)));
        }
        Ok(Self { site, targets, anonymous: Mutex::default() })
    }

    /// The files of a version that this host may read, in the configured tiers; and the locations it may not.
    pub fn sources(
        &self,
        published: &Published,
        wanted: target::Wanted<'_>,
    ) -> Result<(Vec<Vec<Source>>, Vec<Refused>), Error> {
        let tiers = &self.site.config.deploy.sources;
        // What is in no tier comes last.
        let mut found: Vec<Vec<Source>> = vec![Vec::new(); tiers.len() + 1];
        let mut refused = Vec::new();
        for location in &published.record.locations {
            match source(location, wanted, &self.targets, &|name, place| self.anonymous(name, place)) {
                Ok(source) => {
                    let tier = tiers.iter().position(|tier| tier.contains(&source.name)).unwrap_or(tiers.len());
                    found.get_mut(tier).into_iter().for_each(|tier| tier.push(source.clone()));
                }
                Err(why) => refused.push(why),
            }
        }
        found.insert(0, self.given(published, wanted)?.into_iter().collect());
        found.retain(|tier| !tier.is_empty());
        Ok((found, refused))
    }

    fn anonymous(&self, name: &str, place: &Place) -> target::Result<Option<Arc<dyn Target>>> {
        let key = format!("{name} {place:?}");
        let mut known = self.anonymous.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = known.get(&key) {
            return Ok(target.clone());
        }
        let target = target::anonymous(name, place, &self.site.ambient)?;
        known.insert(key, target.clone());
        Ok(target)
    }

    /// The source that the caller gave the URL of: for the package and nothing else, since a signed URL leads to one file.
    fn given(&self, published: &Published, wanted: target::Wanted<'_>) -> Result<Option<Source>, Error> {
        let url = self.site.url.as_ref().filter(|_| wanted.sha256 == published.package_sha256());
        let Some(url) = url else { return Ok(None) };
        let (target, key) = target::from_url(GIVEN, url.expose(), &self.site.ambient)?;
        Ok(Some(Source { name: GIVEN.to_owned(), target, key }))
    }
}
