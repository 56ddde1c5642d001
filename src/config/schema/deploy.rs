//! `deploy`.

use std::collections::BTreeMap;

use schemars::JsonSchema;

use super::values::{Program, Size, Time};

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Deploy {
    /// The deployment root. Where none is given, `deployments` beside the file.
    #[schemars(title = "path", extend("examples" = ["/opt/deployments"]))]
    root: Option<String>,
    /// The targets to read from, in this order; a list in the list is a tier, within which measured speed decides. Where
    /// nothing is given: all of them, and the backups last.
    #[schemars(extend("examples" = [["near", ["cloud"]]]))]
    sources: Option<Vec<Tier>>,
    /// Connections to each source at once.
    #[schemars(range(min = 1, max = 256), extend("default" = 4, "examples" = [8]))]
    connections: Option<u32>,
    /// The most bytes in a second, over all connections; no limit where none is given.
    #[schemars(title = "size a second", extend("examples" = ["50MiB/s"]))]
    bandwidth: Option<String>,
    /// A connection over which nothing comes for so long is given up; at least `1s`.
    #[schemars(extend("default" = "30s", "examples" = ["45s"]))]
    stall_timeout: Option<Time>,
    /// What may wait in memory for its turn to be unpacked.
    #[schemars(extend("default" = "64MiB", "examples" = ["256MiB"]))]
    memory: Option<Size>,
    /// Links outside the root that are made and mended with the rest: absolute path, and where it leads to. A real file or
    /// directory is never replaced by one.
    #[schemars(extend("examples" = [{"/app/models": "/opt/deployments/links/model"}]))]
    custom_links: Option<BTreeMap<String, String>>,
    /// What is run before and after the links move ([hooks](health.md)).
    hooks: Option<Hooks>,
    /// What has to answer after a switch ([health](health.md)). One of `http`, `tcp` and `command`.
    health: Option<Health>,
    /// A deploy that nobody confirms in this time is undone ([the trial period](health.md#the-trial-period)); `0s`, or nothing, for
    /// no trial.
    #[schemars(extend("examples" = ["10m"]))]
    confirm: Option<Time>,
    /// How a file that an installed version has gets into a new one: `auto` is a reflink, else a hard link, else a copy. A
    /// component that is `mutable` is never hard-linked.
    #[schemars(extend("default" = "auto", "examples" = ["copy"]))]
    link: Option<Link>,
    /// Other roots whose versions may give files; they are only read.
    #[schemars(extend("examples" = [["/srv/other/deployments"]]))]
    share_with: Option<Vec<String>>,
    /// How much is looked at again: `receipt` trusts length, inode and time of a shared file; `always` hashes it; `whole` also
    /// reads each package and compares it with its index.
    #[schemars(extend("default" = "receipt", "examples" = ["always"]))]
    verify: Option<Verify>,
    /// Whether to work in a root that others may write to, or that is somebody else's ([who may write](roots.md)).
    #[schemars(extend("default" = false, "examples" = [true]))]
    allow_shared_root: Option<bool>,
    /// What `version cleanup` keeps, besides what is current, pinned or needed. A version is kept where either says so.
    keep: Option<Keep>,
    /// Whose signatures what is deployed needs ([security](security.md)); nobody's where nothing is given.
    trust: Option<Trust>,
}

#[derive(JsonSchema)]
#[schemars(untagged, title = "name, or names of equals")]
enum Tier {
    Name(String),
    Equals(Vec<String>),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Hooks {
    /// Asked before the first link moves; one that fails leaves everything as it was.
    #[schemars(extend("examples" = [[["./may-i-switch", "--quick"]]]))]
    pre_switch: Option<Vec<Hook>>,
    /// Run after all links have moved; one that fails undoes the release.
    #[schemars(extend("examples" = [[{"run": ["systemctl", "--user", "reload", "app"], "timeout": "10s"}]]))]
    post_switch: Option<Vec<Hook>>,
}

#[derive(JsonSchema)]
#[schemars(untagged, title = "hook")]
enum Hook {
    Program(Program),
    Run { run: Program, timeout: Option<Time> },
    Shell { shell: String, timeout: Option<Time> },
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Health {
    /// An address that has to answer with a status from 200 to 299.
    #[schemars(title = "URL", extend("examples" = ["http://127.0.0.1:8080/healthz"]))]
    http: Option<String>,
    /// A program that has to end with status 0.
    #[schemars(extend("examples" = [["./smoke-test", "--fast"]]))]
    command: Option<Program>,
    /// A port that has to take connections.
    #[schemars(title = "host:port", extend("examples" = ["127.0.0.1:8080"]))]
    tcp: Option<String>,
    /// How long it may take until it has been healthy for `healthy_for`.
    #[schemars(extend("default" = "30s", "examples" = ["2m"]))]
    timeout: Option<Time>,
    /// For how long it has to be healthy without a break; less than `timeout`, and half of it at most where nothing is given.
    #[schemars(extend("default" = "5s", "examples" = ["10s"]))]
    healthy_for: Option<Time>,
    /// The time between two looks.
    #[schemars(extend("default" = "1s", "examples" = ["500ms"]))]
    interval: Option<Time>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Link {
    Auto,
    Reflink,
    Hardlink,
    Copy,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum Verify {
    Receipt,
    Always,
    Whole,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Keep {
    /// So many versions of each component, by when they were last current.
    #[schemars(extend("default" = 5, "examples" = [3]))]
    last: Option<u32>,
    /// Those that were current within so many days; none for that alone where nothing is given.
    #[schemars(extend("examples" = [30]))]
    days: Option<u32>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Trust {
    /// Which key is whose, as in `ssh-keygen`'s ALLOWED SIGNERS.
    #[schemars(title = "path", extend("examples" = ["/etc/deploy-tool/allowed_signers"]))]
    allowed_signers: String,
    /// Public keys that count no more, one a line.
    #[schemars(title = "path", extend("examples" = ["/etc/deploy-tool/revoked_keys"]))]
    revoked: Option<String>,
    /// How many people have to sign a manifest: `true` for one, `false` for none, or a number.
    #[schemars(extend("default" = 1, "examples" = [2]))]
    require: Option<People>,
    /// How many people have to sign an environment.
    #[schemars(extend("default" = 0, "examples" = [1]))]
    environments: Option<People>,
    /// Who may sign `policy.json`. Where nothing is given the policy is not believed.
    policy: Option<PolicyTrust>,
    /// How old the newest heartbeat of the branch may be; none is asked for where nothing is given.
    #[schemars(extend("examples" = ["7d"]))]
    max_age: Option<Time>,
}

#[derive(JsonSchema)]
#[schemars(untagged, title = "number of people, true or false")]
enum People {
    Count(u32),
    One(bool),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct PolicyTrust {
    /// Which key is whose: keys of the policy's owners alone.
    #[schemars(title = "path", extend("examples" = ["/etc/deploy-tool/policy_owners"]))]
    allowed_signers: String,
    /// Public keys that count no more, one a line.
    #[schemars(title = "path", extend("examples" = ["/etc/deploy-tool/revoked_keys"]))]
    revoked: Option<String>,
    /// How many people have to sign the policy.
    #[schemars(range(min = 1, max = 64), extend("default" = 1, "examples" = [2]))]
    require: Option<u32>,
}
