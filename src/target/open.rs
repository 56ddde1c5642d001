//! From the configuration's words to a target.

use std::path::Path;
use std::sync::Arc;

use super::http::Http;
use super::oci::Oci;
use super::{Ambient, Error, Filesystem, Result, Setting, Target, objects};
use crate::config::{self, TargetPlace};
use crate::model::Place;

/// The configured target. `records` is the top of the records repository's work tree, where there is one.
///
/// # Errors
///
/// [`Error::Settings`], [`Error::Unset`], [`Error::Relative`], [`Error::NotText`]; a file with a login that cannot be read.
pub fn open(target: &config::Target, ambient: &Ambient, records: Option<&Path>) -> Result<Arc<dyn Target>> {
    match &target.place {
        TargetPlace::Filesystem { path, relative, mode, group } => {
            let target = Filesystem::new(&target.name, path)?.with_access(*mode, group.clone());
            Ok(Arc::new(match records {
                Some(records) => target.with_records(records, *relative),
                None => target,
            }))
        }
        TargetPlace::Http(settings) => Ok(Arc::new(Http::new(&target.name, settings, ambient)?)),
        TargetPlace::Oci(settings) => Ok(Arc::new(Oci::new(&target.name, settings, ambient)?)),
        TargetPlace::Unset(why) => Err(Error::Unset(why.clone())),
        place => match objects::open(&target.name, place, ambient)? {
            Some(objects) => Ok(Arc::new(objects)),
            None => Err(Error::Settings { target: target.name.clone(), reason: Setting::Type }),
        },
    }
}

/// A target for a place that is in no configured one, used without any login; `None` for kinds that are not read so.
///
/// # Errors
///
/// [`Error::Settings`] where the place makes no target.
pub fn anonymous(name: &str, place: &Place, ambient: &Ambient) -> Result<Option<Arc<dyn Target>>> {
    Ok(match place {
        Place::Http(place) => Some(Arc::new(Http::anonymous(name, &place.url, ambient)?)),
        Place::Oci(place) => Some(Arc::new(Oci::anonymous(name, place, ambient)?)),
        other => objects::anonymous(name, other, ambient)?.map(|objects| Arc::new(objects) as Arc<dyn Target>),
    })
}
