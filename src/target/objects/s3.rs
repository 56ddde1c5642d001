//! `type: s3`: AWS and every store that speaks its language.
//!
//! The login, the first that is there: the configuration's key; `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`; a web
//! identity (`AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN`); the shared files' profile; the container's role; the
//! instance's role. The last two are AWS's own and are asked for AWS only; a store elsewhere without a key is asked
//! without a signature.

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};

use super::library::{Library, no_retries};
use super::web::Web;
use super::{Objects, place, profile, settings, unusable};
use crate::config::{Addressing, KeyPair, S3};
use crate::model::{Place, S3Place};
use crate::target::{Ambient, Result, Setting};

/// The field of a record that says that the bucket's name stands in the host.
const ADDRESSING: &str = "addressing";
const VIRTUAL_HOST: &str = "virtual-host";

const USUAL_REGION: &str = "us-east-1";

/// What requests are signed with.
pub(super) enum Login {
    /// Nothing.
    Anonymous,
    /// This.
    Keys(KeyPair),
    /// What these settings of the crate lead to.
    Chain(Vec<(Key, String)>),
}

/// Where a bucket is.
pub(super) struct Where<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The URL of the endpoint, without the bucket.
    pub endpoint: &'a str,
    /// The region to sign for.
    pub region: &'a str,
    /// Whether the bucket's name goes in front of the host.
    pub virtual_host: bool,
}

/// A configured target.
pub(super) fn open(name: &str, config: &S3, ambient: &Ambient) -> Result<Objects> {
    let profile = profile::read(ambient)?;
    let region = || ambient.get("AWS_REGION").or_else(|| ambient.get("AWS_DEFAULT_REGION")).map(str::to_owned);
    let region = config.region.clone().or_else(region).or(profile.region);
    let login = match () {
        () if config.anonymous => Login::Anonymous,
        () => login(config, profile.keys, ambient),
    };
    let virtual_host = config.addressing == Addressing::VirtualHost;
    let mut extra = serde_json::Map::new();
    if config.endpoint.is_some() && virtual_host {
        extra.insert(ADDRESSING.to_owned(), VIRTUAL_HOST.into());
    }
    let named = match config.endpoint {
        Some(_) => config.region.clone(),
        None => Some(region.clone().unwrap_or_else(|| USUAL_REGION.to_owned())),
    };
    let region = region.as_deref().unwrap_or(USUAL_REGION);
    let endpoint = config.endpoint.clone().unwrap_or_else(|| aws(region));
    // A bucket with a dot is no name that AWS's certificates are for.
    let virtual_host = virtual_host && (config.endpoint.is_some() || !config.bucket.contains('.'));
    let at = Where { bucket: &config.bucket, endpoint: &endpoint, region, virtual_host };
    let home = S3Place {
        endpoint: config.endpoint.clone(),
        region: named,
        bucket: config.bucket.clone(),
        object_key: String::new(),
        extra,
    };
    Objects::new(name, Place::S3(home), &config.prefix, bucket(name, &at, login, ambient)?)
}

/// The store of a record's place, without a login.
pub(super) fn anonymous(name: &str, place: &S3Place, ambient: &Ambient) -> Result<Objects> {
    let region = place.region.as_deref().unwrap_or(USUAL_REGION);
    if !region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(settings(name, Setting::Region(region.to_owned())));
    }
    let virtual_host = match &place.endpoint {
        Some(_) => place::extra(&place.extra, ADDRESSING).as_deref() == Some(VIRTUAL_HOST),
        None => !place.bucket.contains('.'),
    };
    let endpoint = place.endpoint.clone().unwrap_or_else(|| aws(region));
    let at = Where { bucket: &place.bucket, endpoint: &endpoint, region, virtual_host };
    let bucket = bucket(name, &at, Login::Anonymous, ambient)?;
    Objects::new(name, Place::S3(place.clone()), "", bucket)
}

/// The bucket behind the crate.
pub(super) fn bucket(name: &str, at: &Where<'_>, login: Login, ambient: &Ambient) -> Result<Library> {
    let url = place::url(at.endpoint).ok_or_else(|| settings(name, Setting::Endpoint(at.endpoint.to_owned())))?;
    if at.bucket.is_empty() || !at.bucket.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)) {
        return Err(settings(name, Setting::Bucket(at.bucket.to_owned())));
    }
    let (scheme, rest) = (url.scheme(), url.as_str().split_once("://").map_or("", |(_, rest)| rest));
    let endpoint = match at.virtual_host {
        true => format!("{scheme}://{}.{rest}", at.bucket),
        false => url.to_string(),
    };
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(at.bucket)
        .with_region(at.region)
        .with_endpoint(endpoint.trim_end_matches('/'))
        .with_virtual_hosted_style_request(at.virtual_host)
        .with_allow_http(scheme == "http")
        .with_http_connector(Web::new(name, ambient)?)
        .with_retry(no_retries())
        .with_disable_bulk_delete(true);
    let signs = !matches!(login, Login::Anonymous);
    builder = match login {
        Login::Anonymous => builder.with_skip_signature(true),
        Login::Keys(keys) => {
            let builder = builder.with_access_key_id(keys.access_key).with_secret_access_key(keys.secret_key.expose());
            match keys.session_token {
                Some(token) => builder.with_token(token.expose()),
                None => builder,
            }
        }
        Login::Chain(keys) => keys.into_iter().fold(builder, |builder, (key, value)| builder.with_config(key, value)),
    };
    let store = builder.build().map_err(|e| unusable(name, e))?;
    Ok(Library::new(store, ambient.stall_timeout, signs, signs))
}

fn login(config: &S3, shared: Option<KeyPair>, ambient: &Ambient) -> Login {
    let given = config.credentials.clone().or_else(|| super::keys(ambient, "AWS"));
    if let Some(keys) = given {
        return Login::Keys(keys);
    }
    let chain = |names: &[(Key, &str)]| {
        let values = names.iter().map(|(key, name)| Some((*key, ambient.get(name)?.to_owned())));
        values.collect::<Option<Vec<_>>>()
    };
    let identity = chain(&[(Key::WebIdentityTokenFile, "AWS_WEB_IDENTITY_TOKEN_FILE"), (Key::RoleArn, "AWS_ROLE_ARN")]);
    if let Some(mut identity) = identity {
        identity.extend(chain(&[(Key::RoleSessionName, "AWS_ROLE_SESSION_NAME")]).unwrap_or_default());
        return Login::Chain(identity);
    }
    if let Some(keys) = shared {
        return Login::Keys(keys);
    }
    let at_aws = config.endpoint.as_deref().is_none_or(is_aws);
    let relative = [(Key::ContainerCredentialsRelativeUri, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")];
    let full = [
        (Key::ContainerCredentialsFullUri, "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        (Key::ContainerAuthorizationTokenFile, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
    ];
    match chain(&relative).or_else(|| chain(&full)) {
        _ if !at_aws => Login::Anonymous,
        Some(container) => Login::Chain(container),
        None if ambient.get("AWS_EC2_METADATA_DISABLED") == Some("true") => Login::Anonymous,
        None => Login::Chain(Vec::new()),
    }
}

/// AWS's own endpoint of a region.
fn aws(region: &str) -> String {
    let end = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("https://s3.{region}.amazonaws.com{end}")
}

fn is_aws(endpoint: &str) -> bool {
    let url = place::url(endpoint);
    let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
    host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn config(endpoint: Option<&str>) -> S3 {
        S3 {
            endpoint: endpoint.map(str::to_owned),
            region: None,
            bucket: "b".to_owned(),
            prefix: "ml".to_owned(),
            addressing: Addressing::Path,
            credentials: None,
            anonymous: false,
        }
    }

    fn ambient(variables: &[(&str, &str)]) -> Ambient {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Ambient { variables, ..Ambient::default() }
    }

    fn pair(access_key: &str) -> KeyPair {
        let secret_key = Secret::new("s".to_owned());
        KeyPair { access_key: access_key.to_owned(), secret_key, session_token: None }
    }

    /// The login in a word.
    fn chosen(config: &S3, shared: Option<KeyPair>, variables: &[(&str, &str)]) -> String {
        match login(config, shared, &ambient(variables)) {
            Login::Anonymous => "nobody".to_owned(),
            Login::Keys(keys) => keys.access_key,
            Login::Chain(keys) => keys.first().map_or("instance".to_owned(), |(key, _)| format!("{key:?}")),
        }
    }

    #[test]
    fn the_first_login_counts() {
        let env = [("AWS_ACCESS_KEY_ID", "env"), ("AWS_SECRET_ACCESS_KEY", "s")];
        let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn")];
        let container = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x")];
        let aws = config(None);
        let own = S3 { credentials: Some(pair("own")), ..aws.clone() };
        let all = [&env[..], &web[..], &container[..]].concat();
        assert_eq!(chosen(&own, Some(pair("file")), &all), "own");
        assert_eq!(chosen(&aws, Some(pair("file")), &all), "env");
        assert_eq!(chosen(&aws, Some(pair("file")), &[&web[..], &container[..]].concat()), "WebIdentityTokenFile");
        assert_eq!(chosen(&aws, Some(pair("file")), &container), "file");
        assert_eq!(chosen(&aws, None, &container), "ContainerCredentialsRelativeUri");
        assert_eq!(chosen(&aws, None, &[]), "instance");
        assert_eq!(chosen(&aws, None, &[("AWS_EC2_METADATA_DISABLED", "true")]), "nobody");
        assert_eq!(chosen(&aws, None, &env[..1]), "instance", "half a key is none");
        let elsewhere = config(Some("http://127.0.0.1:3900"));
        assert_eq!(chosen(&elsewhere, None, &container), "nobody");
        assert_eq!(chosen(&elsewhere, None, &env), "env");
        assert_eq!(chosen(&config(Some("https://s3.eu-west-1.amazonaws.com")), None, &[]), "instance");
        assert_eq!(chosen(&config(Some("https://amazonaws.com.evil")), None, &[]), "nobody");
    }

    #[test]
    fn what_makes_no_store_is_refused() {
        let refuses = |config: &S3| open("t", config, &Ambient::default()).is_err();
        assert!(!refuses(&config(Some("http://127.0.0.1:1"))));
        assert!(refuses(&config(Some("ftp://host"))));
        assert!(refuses(&S3 { bucket: "evil.host/".to_owned(), ..config(None) }));
        assert!(refuses(&S3 { prefix: "a/../b".to_owned(), ..config(None) }));
        let place = S3Place {
            endpoint: None,
            region: Some("evil.host/".to_owned()),
            bucket: "b".to_owned(),
            object_key: "k".to_owned(),
            extra: Default::default(),
        };
        assert!(anonymous("t", &place, &Ambient::default()).is_err());
    }

    #[test]
    fn places_say_what_reading_needs() {
        let env = ambient(&[("AWS_REGION", "eu-west-1"), ("AWS_EC2_METADATA_DISABLED", "true")]);
        let home = |config: &S3| match open("t", config, &env).expect("opened").home {
            Place::S3(place) => place,
            other => panic!("{other:?}"),
        };
        assert_eq!(home(&config(None)).region.as_deref(), Some("eu-west-1"));
        let oss = S3 { addressing: Addressing::VirtualHost, ..config(Some("https://oss-cn-beijing.aliyuncs.com")) };
        let place = home(&oss);
        assert_eq!((place.region.as_deref(), &place.extra[ADDRESSING]), (None, &VIRTUAL_HOST.into()));
        assert_eq!(aws("cn-north-1"), "https://s3.cn-north-1.amazonaws.com.cn");
    }
}
