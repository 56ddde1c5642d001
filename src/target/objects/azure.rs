//! `type: azure`: Azure's object store.
//!
//! The login: the configured key or shared access signature; `AZURE_STORAGE_ACCOUNT_KEY` or `AZURE_STORAGE_SAS_TOKEN`;
//! the workload identity or application that `AZURE_CLIENT_ID` and its companions name; the machine's own identity.

use object_store::azure::{AzureConfigKey as Key, MicrosoftAzureBuilder};

use super::library::{Library, no_retries};
use super::web::Web;
use super::{Objects, place, settings, unusable};
use crate::config::Azure;
use crate::model::{AzurePlace, Place};
use crate::target::{Ambient, Result, Setting};

/// The variables that say who is asking; where the store is comes from the configuration alone.
const LOGIN: [(&str, Key); 12] = [
    ("AZURE_STORAGE_ACCOUNT_KEY", Key::AccessKey),
    ("AZURE_STORAGE_ACCESS_KEY", Key::AccessKey),
    ("AZURE_STORAGE_SAS_TOKEN", Key::SasKey),
    ("AZURE_CLIENT_ID", Key::ClientId),
    ("AZURE_CLIENT_SECRET", Key::ClientSecret),
    ("AZURE_TENANT_ID", Key::AuthorityId),
    ("AZURE_AUTHORITY_HOST", Key::AuthorityHost),
    ("AZURE_FEDERATED_TOKEN_FILE", Key::FederatedTokenFile),
    ("IDENTITY_ENDPOINT", Key::MsiEndpoint),
    ("AZURE_OBJECT_ID", Key::ObjectId),
    ("AZURE_MSI_RESOURCE_ID", Key::MsiResourceId),
    ("AZURE_USE_AZURE_CLI", Key::UseAzureCli),
];

/// A configured target.
pub(super) fn open(name: &str, config: &Azure, ambient: &Ambient) -> Result<Objects> {
    let home = AzurePlace {
        account: config.account.clone(),
        endpoint: config.endpoint.clone(),
        container: config.container.clone(),
        object_key: String::new(),
        extra: Default::default(),
    };
    let builder = builder(name, &home, ambient)?;
    let builder = match (&config.access_key, &config.sas_token) {
        _ if config.anonymous => builder.with_skip_signature(true),
        (Some(key), _) => builder.with_access_key(key.expose()),
        (None, Some(token)) => builder.with_config(Key::SasKey, token.expose()),
        (None, None) => LOGIN.into_iter().fold(builder, |builder, (variable, key)| match ambient.get(variable) {
            Some(value) => builder.with_config(key, value),
            None => builder,
        }),
    };
    let store = builder.build().map_err(|e| unusable(name, e))?;
    Objects::new(
        name,
        Place::Azure(home),
        &config.prefix,
        Library::new(store, ambient.stall_timeout, !config.anonymous, false),
    )
}

/// The store of a record's place, without a login.
pub(super) fn anonymous(name: &str, place: &AzurePlace, ambient: &Ambient) -> Result<Objects> {
    let store = builder(name, place, ambient)?.with_skip_signature(true).build().map_err(|e| unusable(name, e))?;
    Objects::new(name, Place::Azure(place.clone()), "", Library::new(store, ambient.stall_timeout, false, false))
}

fn builder(name: &str, place: &AzurePlace, ambient: &Ambient) -> Result<MicrosoftAzureBuilder> {
    // The account becomes a part of the host.
    if place.account.is_empty() || !place.account.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Err(settings(name, Setting::Account(place.account.clone())));
    }
    let builder = MicrosoftAzureBuilder::new()
        .with_account(&place.account)
        .with_container_name(&place.container)
        .with_http_connector(Web::new(name, ambient)?)
        .with_retry(no_retries());
    let Some(endpoint) = &place.endpoint else { return Ok(builder) };
    let url = place::url(endpoint).ok_or_else(|| settings(name, Setting::Endpoint(endpoint.clone())))?;
    let http = url.scheme() == "http";
    Ok(builder.with_endpoint(url.as_str().trim_end_matches('/').to_owned()).with_allow_http(http))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;
    use crate::target::Target as _;
    use std::time::Duration;

    fn config(account: &str) -> Azure {
        Azure {
            account: account.to_owned(),
            endpoint: None,
            container: "c".to_owned(),
            prefix: "ml".to_owned(),
            access_key: Some(Secret::new("c2VjcmV0".to_owned())),
            sas_token: None,
            anonymous: false,
        }
    }

    #[test]
    fn a_url_is_signed_for_the_accounts_own_host_and_shown_without_the_signature() {
        let target = open("t", &config("acc"), &Ambient::default()).expect("opened");
        let hour = Duration::from_secs(3600);
        let url = target.presign("ml/m.tar", hour).expect("signed").expect("a URL");
        assert!(url.starts_with("https://acc.blob.core.windows.net/c/ml/m.tar?") && url.contains("sig="), "{url}");
        assert_eq!(target.shown("ml/m.tar"), "az://acc/c/ml/m.tar");
        assert!(target.presign("ml/m.tar", hour * 24 * 8).is_err());
        assert!(!format!("{target:?}").contains("c2VjcmV0"));
        assert!(open("t", &config("acc.evil/"), &Ambient::default()).is_err());
    }
}
