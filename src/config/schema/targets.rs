//! `publish.targets.<name>`.

use schemars::JsonSchema;

use super::values::Mode;

#[derive(JsonSchema)]
#[schemars(tag = "type", rename_all = "lowercase")]
pub(super) enum Target {
    /// A directory.
    Filesystem(Filesystem),
    /// A store that speaks S3: AWS, Garage, MinIO, OSS, COS.
    S3(S3),
    /// Baidu's object store.
    Bos(Bos),
    /// Google Cloud Storage.
    Gcs(Gcs),
    /// Azure Blob Storage.
    Azure(Azure),
    /// A web server, which is only read.
    Http(Http),
    /// An OCI registry.
    Oci(Oci),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Role {
    Backup,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Filesystem {
    /// `backup`: published to, and read last.
    #[schemars(extend("examples" = ["backup"]))]
    role: Option<Role>,
    /// The directory.
    #[schemars(title = "path", extend("examples" = ["/data/packages"]))]
    path: String,
    /// The permission bits of published files; as the umask has them where none are given.
    #[schemars(extend("examples" = ["0640"]))]
    mode: Option<Mode>,
    /// The group of what is published, by name or number.
    #[schemars(extend("examples" = ["ml"]))]
    group: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct S3 {
    /// `backup`: published to, and read last.
    #[schemars(extend("examples" = ["backup"]))]
    role: Option<Role>,
    /// Where the store answers; AWS where none is given.
    #[schemars(title = "URL", extend("examples" = ["https://s3.example.org"]))]
    endpoint: Option<String>,
    /// The region; `us-east-1` where neither this nor the environment says.
    #[schemars(extend("examples" = ["eu-central-1"]))]
    region: Option<String>,
    /// The bucket.
    #[schemars(extend("examples" = ["ml-artifacts"]))]
    bucket: String,
    /// What every key begins with.
    #[schemars(extend("examples" = ["sentiment"]))]
    prefix: Option<String>,
    /// Where the bucket's name stands: in the `path` (usual with an `endpoint`) or in the host (usual without).
    #[schemars(extend("examples" = ["path"]))]
    addressing: Option<Addressing>,
    /// Names the key; where no keys are given, the usual places of the AWS tools.
    #[schemars(title = "secret", extend("examples" = ["${ML_ACCESS_KEY:-}"]))]
    access_key: Option<String>,
    /// Signs with it.
    #[schemars(title = "secret", extend("examples" = ["${ML_SECRET_KEY:-}"]))]
    secret_key: Option<String>,
    /// Goes with a key that expires.
    #[schemars(title = "secret", extend("examples" = ["${ML_SESSION_TOKEN:-}"]))]
    session_token: Option<String>,
    /// Whether requests are never signed, for a bucket that anybody may read.
    #[schemars(extend("default" = false, "examples" = [true]))]
    anonymous: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Addressing {
    Path,
    VirtualHost,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Bos {
    /// `backup`: published to, and read last.
    #[schemars(extend("examples" = ["backup"]))]
    role: Option<Role>,
    /// The host of BOS's own interface; with `http://` where it has no TLS.
    #[schemars(title = "host", extend("examples" = ["bj.bcebos.com"]))]
    endpoint: String,
    /// The bucket.
    #[schemars(extend("examples" = ["ml-artifacts"]))]
    bucket: String,
    /// What every key begins with.
    #[schemars(extend("examples" = ["sentiment"]))]
    prefix: Option<String>,
    /// How requests are signed: as S3 has it, or in BOS's own way (`bce-auth-v1`).
    #[schemars(extend("default" = "s3", "examples" = ["bce"]))]
    auth: Option<Auth>,
    /// Names the key; `BCE_ACCESS_KEY_ID` where none is given.
    #[schemars(title = "secret", extend("examples" = ["${BOS_ACCESS_KEY:-}"]))]
    access_key: Option<String>,
    /// Signs with it; `BCE_SECRET_ACCESS_KEY` where none is given.
    #[schemars(title = "secret", extend("examples" = ["${BOS_SECRET_KEY:-}"]))]
    secret_key: Option<String>,
    /// Goes with a key that expires.
    #[schemars(title = "secret", extend("examples" = ["${BOS_SESSION_TOKEN:-}"]))]
    session_token: Option<String>,
    /// Whether requests are never signed.
    #[schemars(extend("default" = false, "examples" = [true]))]
    anonymous: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Auth {
    S3,
    Bce,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Gcs {
    /// `backup`: published to, and read last.
    #[schemars(extend("examples" = ["backup"]))]
    role: Option<Role>,
    /// The bucket.
    #[schemars(extend("examples" = ["ml-artifacts"]))]
    bucket: String,
    /// What every key begins with.
    #[schemars(extend("examples" = ["sentiment"]))]
    prefix: Option<String>,
    /// Where the store answers; Google's own where none is given.
    #[schemars(title = "URL", extend("examples" = ["https://storage.example.org"]))]
    endpoint: Option<String>,
    /// The file of a service account's key; application default credentials where none is given.
    #[schemars(title = "path", extend("examples" = ["/etc/deploy-tool/service-account.json"]))]
    service_account: Option<String>,
    /// Whether requests are never signed.
    #[schemars(extend("default" = false, "examples" = [true]))]
    anonymous: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Azure {
    /// `backup`: published to, and read last.
    #[schemars(extend("examples" = ["backup"]))]
    role: Option<Role>,
    /// The storage account.
    #[schemars(extend("examples" = ["mlartifacts"]))]
    account: String,
    /// Where the store answers; Azure's own where none is given.
    #[schemars(title = "URL", extend("examples" = ["http://127.0.0.1:10000/devstoreaccount1"]))]
    endpoint: Option<String>,
    /// The container.
    #[schemars(extend("examples" = ["packages"]))]
    container: String,
    /// What every key begins with.
    #[schemars(extend("examples" = ["sentiment"]))]
    prefix: Option<String>,
    /// The account's key.
    #[schemars(title = "secret", extend("examples" = ["${AZURE_KEY:-}"]))]
    access_key: Option<String>,
    /// A shared access signature.
    #[schemars(title = "secret", extend("examples" = ["${AZURE_SAS:-}"]))]
    sas_token: Option<String>,
    /// Whether requests are never signed.
    #[schemars(extend("default" = false, "examples" = [true]))]
    anonymous: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Http {
    /// `backup`: read last.
    #[schemars(extend("examples" = ["backup"]))]
    role: Option<Role>,
    /// What every address begins with.
    #[schemars(title = "URL", extend("examples" = ["https://packages.example.org/ml/"]))]
    url: String,
    /// Sent as `Authorization: Bearer`.
    #[schemars(title = "secret", extend("examples" = ["${PACKAGES_TOKEN:-}"]))]
    token: Option<String>,
    /// Sent with the password as `Authorization: Basic`.
    #[schemars(extend("examples" = ["reader"]))]
    username: Option<String>,
    /// The password.
    #[schemars(title = "secret", extend("examples" = ["${PACKAGES_PASSWORD:-}"]))]
    password: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Oci {
    /// `backup`: published to, and read last.
    #[schemars(extend("examples" = ["backup"]))]
    role: Option<Role>,
    /// The registry's host, and its port; with `http://` where it has no TLS.
    #[schemars(title = "host", extend("examples" = ["harbor.example.org"]))]
    registry: String,
    /// The repository; each component has one of its own below it.
    #[schemars(extend("examples" = ["ml/sentiment"]))]
    repository: String,
    /// The login; where none is given, the one in docker's `config.json`.
    #[schemars(extend("examples" = ["bot"]))]
    username: Option<String>,
    /// The password or token.
    #[schemars(title = "secret", extend("examples" = ["${HARBOR_PASSWORD:-}"]))]
    password: Option<String>,
}
