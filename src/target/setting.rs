//! What is wrong with the settings of a target, and why a redirect is not followed.

/// Why settings do not make a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Setting {
    /// No address of a service.
    #[error("`{0}` is no endpoint")]
    Endpoint(String),
    /// No address of a service once the bucket stands before it.
    #[error("`{endpoint}` with the bucket `{bucket}` is no endpoint")]
    EndpointOfBucket {
        /// The service.
        endpoint: String,
        /// The bucket.
        bucket: String,
    },
    /// No account of Azure.
    #[error("`{0}` is no account")]
    Account(String),
    /// No start of keys.
    #[error("`{0}` is no prefix: it has an empty or dotted part")]
    Prefix(String),
    /// No name of a region.
    #[error("`{0}` is no region")]
    Region(String),
    /// No name of a bucket.
    #[error("`{0}` is no bucket")]
    Bucket(String),
    /// No host of an OCI registry.
    #[error("`{0}` is no registry's host")]
    Registry(String),
    /// No name of a repository at an OCI registry.
    #[error("`{0}` is no repository's name: they are in lower case")]
    Repository(String),
    /// No URL; why not in the library's words.
    #[error("its URL cannot be read: {0}")]
    Url(String),
    /// A URL of another scheme than http and https.
    #[error("its URL begins with neither `https://` nor `http://`")]
    Scheme,
    /// A URL with a login or a fragment in it.
    #[error("its URL has a login or a fragment in it")]
    UrlWithLogin,
    /// A login that no header can hold.
    #[error("its login has characters that no request can carry")]
    Login,
    /// No group of this machine.
    #[error("this machine has no group `{0}`")]
    Group(String),
    /// No kind of target.
    #[error("of no known type")]
    Type,
    /// What a library says of them.
    #[error("{0}")]
    Library(String),
}

/// Why a redirect is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Detour {
    /// It leads to where it came from.
    #[error("it leads in a circle")]
    Circle,
    /// It is one too many.
    #[error("there were ten before it")]
    Many,
    /// It leads to something else than http or https.
    #[error("it is no web address")]
    Scheme,
    /// It leads from https to http.
    #[error("it leaves https for http")]
    Downgrade,
    /// It has a login in it.
    #[error("it brings a login of its own")]
    Login,
    /// It leads to another region, which the settings should name.
    #[error("the bucket is in that region; say so in `region`")]
    Region,
    /// The request has a login, which another place must not see.
    #[error("a login must not go elsewhere")]
    Elsewhere,
}
