//! `type: gcs`: Google's object store.
//!
//! The login: the configured file of a service account's key; `GOOGLE_APPLICATION_CREDENTIALS`; the application default
//! credentials that `gcloud` leaves in the home directory; the instance's own account.

use std::sync::Arc;

use object_store::StaticCredentialProvider;
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};

use super::library::{Library, no_retries};
use super::web::Web;
use super::{Objects, place, settings, unusable};
use crate::config::Gcs;
use crate::fsx;
use crate::model::{GcsPlace, Place};
use crate::target::{Ambient, Result, Setting};

/// The field of a record that names an endpoint other than Google's.
const ENDPOINT: &str = "endpoint";

/// A configured target.
pub(super) fn open(name: &str, config: &Gcs, ambient: &Ambient) -> Result<Objects> {
    let mut extra = serde_json::Map::new();
    if let Some(endpoint) = &config.endpoint {
        extra.insert(ENDPOINT.to_owned(), endpoint.clone().into());
    }
    let home = GcsPlace { bucket: config.bucket.clone(), object_key: String::new(), extra };
    let mut builder = builder(name, &config.bucket, config.endpoint.as_deref(), ambient)?;
    if config.anonymous {
        builder = unsigned(builder);
    } else if let Some(file) = &config.service_account {
        builder = builder.with_service_account_path(file.to_string_lossy());
    } else {
        let named = ambient.get("GOOGLE_APPLICATION_CREDENTIALS").map(str::to_owned);
        let usual = ambient.home.as_ref().map(|home| home.join(".config/gcloud/application_default_credentials.json"));
        let usual = match usual {
            Some(path) if fsx::inspect_followed(&path)?.is_some() => path.into_os_string().into_string().ok(),
            _ => None,
        };
        if let Some(path) = named.or(usual) {
            builder = builder.with_application_credentials(path);
        }
    }
    let store = builder.build().map_err(|e| unusable(name, e))?;
    Objects::new(
        name,
        Place::Gcs(home),
        &config.prefix,
        Library::new(store, ambient.stall_timeout, !config.anonymous, false).with_encoding(),
    )
}

/// The store of a record's place, without a login.
pub(super) fn anonymous(name: &str, place: &GcsPlace, ambient: &Ambient) -> Result<Objects> {
    let endpoint = place::extra(&place.extra, ENDPOINT);
    let builder = unsigned(builder(name, &place.bucket, endpoint.as_deref(), ambient)?);
    let store = builder.build().map_err(|e| unusable(name, e))?;
    Objects::new(
        name,
        Place::Gcs(place.clone()),
        "",
        Library::new(store, ambient.stall_timeout, false, false).with_encoding(),
    )
}

fn builder(name: &str, bucket: &str, endpoint: Option<&str>, ambient: &Ambient) -> Result<GoogleCloudStorageBuilder> {
    let builder = GoogleCloudStorageBuilder::new()
        .with_bucket_name(bucket)
        .with_http_connector(Web::new(name, ambient)?)
        .with_retry(no_retries());
    let Some(endpoint) = endpoint else { return Ok(builder) };
    let url = place::url(endpoint).ok_or_else(|| settings(name, Setting::Endpoint(endpoint.to_owned())))?;
    Ok(builder.with_base_url(url.as_str().trim_end_matches('/')))
}

/// With an empty login, so that none is looked for.
fn unsigned(builder: GoogleCloudStorageBuilder) -> GoogleCloudStorageBuilder {
    let nobody = StaticCredentialProvider::new(GcpCredential { bearer: String::new() });
    builder.with_credentials(Arc::new(nobody)).with_skip_signature(true)
}
