//! What `.deploy-tool.yaml` may say, as a JSON Schema: for editors, and for the reference in `docs/configuration.md`, which is
//! made from it.
//!
//! The types here have the shape of the file and are never made: their comments are the reference's words. The reader
//! (`sections`, `places`, `checks`, `targets`, `forge`, `trust`) decides what a file means; a test asks it whether it knows the
//! same keys, takes each example, and does by itself what each default says.

#![expect(dead_code, reason = "only the shape of these types is used")]

mod deploy;
mod targets;
mod values;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use deploy::Deploy;
use targets::Target;
use values::{Codec, Compression, Mode, Mtime, Requirement, Size};

/// The schema of the file (draft 2020-12), with every part where it is used.
pub fn schema() -> serde_json::Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<File>().to_value()
}

/// The configuration of deploy-tool, `.deploy-tool.yaml`.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct File {
    /// The version of this format. A newer one than the program knows is refused.
    #[schemars(range(min = 1, max = 1), extend("default" = 1, "examples" = [1]))]
    version: Option<u32>,
    /// What the project is.
    project: Option<Project>,
    /// What is versioned on its own, by its type: `model`, `config`, `runtime`, or any other name of letters, digits, `.`, `_`
    /// and `-`.
    components: Option<BTreeMap<String, Component>>,
    /// How packages are made.
    pack: Option<Pack>,
    /// The git repository that says which package is which version.
    records: Option<Records>,
    /// Where packages are kept.
    publish: Option<Publish>,
    /// The host's side: where versions are unpacked and linked.
    deploy: Option<Deploy>,
    /// The cache of packages on this machine.
    store: Option<Store>,
    /// What is written down of each run ([logs](monitoring.md)).
    log: Option<Log>,
    /// What is measured ([metrics](monitoring.md)).
    metrics: Option<Metrics>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Project {
    /// The name, written into each manifest. Where none is given, that of the file's directory.
    #[schemars(extend("examples" = ["sentiment"]))]
    name: Option<String>,
    /// What kind of project it is; free text.
    #[schemars(extend("examples" = ["ml"]))]
    r#type: Option<String>,
    /// What it does; free text.
    #[schemars(extend("examples" = ["reviews, classified"]))]
    description: Option<String>,
    /// The directory that the components' sources are relative to.
    #[schemars(title = "path", extend("default" = ".", "examples" = ["src"]))]
    root: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Component {
    /// The directory that is packed. Where none is given, the component's name.
    #[schemars(title = "path", extend("examples" = ["./models"]))]
    source: Option<String>,
    /// What it is; free text.
    #[schemars(extend("examples" = ["weights and vocabulary"]))]
    description: Option<String>,
    /// How it is compressed; else as `pack.compression` says.
    #[schemars(extend("examples" = ["zstd"]))]
    compression: Option<Compression>,
    /// Whether deployed files keep their write bits, for what a program edits in place. They are always copied then.
    #[schemars(extend("default" = false, "examples" = [true]))]
    mutable: Option<bool>,
    /// Which versions of other components it needs: a range as cargo has it.
    #[schemars(extend("examples" = [{"config": ">=1.0"}]))]
    depends: Option<BTreeMap<String, Requirement>>,
    /// `normalize` gives every file the same time, so that equal content is an equal package; `keep` keeps the times.
    #[schemars(extend("default" = "normalize", "examples" = ["keep"]))]
    mtime: Option<Mtime>,
    /// What is left out of this component besides: patterns as in a `.gitignore`.
    #[schemars(extend("examples" = [["*.log"]]))]
    exclude: Option<Vec<String>>,
    /// What the packed files run on; another host refuses to deploy them.
    platform: Option<Platform>,
    /// The permission bits of what is deployed, which the owner's are added to. Where none are given, what the package says.
    #[schemars(extend("examples" = ["0750"]))]
    mode: Option<Mode>,
    /// The group of what is deployed. A host without it refuses the version.
    #[schemars(extend("examples" = ["ml"]))]
    group: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Platform {
    /// The operating system, as Rust names it.
    #[schemars(extend("examples" = ["linux"]))]
    os: Option<String>,
    /// The processor, as Rust names it.
    #[schemars(extend("examples" = ["x86_64"]))]
    arch: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Pack {
    /// The directory that packages are written to.
    #[schemars(title = "path", extend("default" = "dist", "examples" = ["build/packages"]))]
    output: Option<String>,
    /// How components are compressed that do not say. `auto` looks at a sample of the bytes.
    #[schemars(extend("default" = "gzip", "examples" = ["auto"]))]
    compression: Option<Compression>,
    /// How hard to compress: a number for `pack.compression`, or one for each codec. gzip goes from 1 to 12,
    /// zstd from 1 to 22, xz from 0 to 9, bzip2 from 1 to 9.
    #[schemars(extend("examples" = [{"gzip": 6, "zstd": 3}]))]
    level: Option<Level>,
    /// What is left out of every component, besides what always is (`.git`, `.hg`, `.svn`, Python's and notebooks' caches,
    /// `.DS_Store`, `.deploy-tool/`): patterns as in a `.gitignore`. No `.gitignore` itself is read.
    #[schemars(extend("examples" = [["*.tmp", "/scratch/"]]))]
    exclude: Option<Vec<String>>,
    /// How many threads pack; one for each core where nothing is given.
    #[schemars(range(min = 1, max = 1024), extend("examples" = [4]))]
    threads: Option<u32>,
}

#[derive(JsonSchema)]
#[schemars(untagged, title = "level, or levels by codec")]
enum Level {
    One(i32),
    ByCodec(BTreeMap<Codec, i32>),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Records {
    /// A work tree, a bare repository, or a URL that git understands ([records](records.md)). Where none is given, a
    /// repository of the project's own in `.deploy-tool/records`, which is made when it is needed.
    #[schemars(title = "path or URL", extend("examples" = ["git@git.example.org:ml/records.git"]))]
    repository: Option<String>,
    /// The branch; the one that HEAD names where none is given.
    #[schemars(extend("examples" = ["main"]))]
    branch: Option<String>,
    /// Where in the repository the records are; `.` for its top.
    #[schemars(title = "path", extend("default" = "records", "examples" = ["ml/records"]))]
    directory: Option<String>,
    /// The key that `--sign` signs with: a private key, or the public one of a key that the agent has.
    #[schemars(title = "path", extend("examples" = ["~/.ssh/id_ed25519"]))]
    sign: Option<String>,
    /// The remote that `--pr` works with; else the one the branch is pushed to, else `origin`.
    #[schemars(extend("examples" = ["upstream"]))]
    remote: Option<String>,
    /// Where requests are opened ([pull requests](pull-requests.md)); what the remote's URL says where nothing is given.
    forge: Option<Forge>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Forge {
    /// What hosts the repository.
    #[schemars(extend("examples" = ["gitlab"]))]
    r#type: ForgeType,
    /// Where its interface begins; where such a host has it, where none is given.
    #[schemars(title = "URL", extend("examples" = ["https://git.example.org/api/v4"]))]
    api: Option<String>,
    /// The project there; the path of the remote's URL where none is given.
    #[schemars(extend("examples" = ["ml/records"]))]
    project: Option<String>,
    /// The token. Where none is given, the variables that such a host's own tools read.
    #[schemars(title = "secret", extend("examples" = ["${RECORDS_TOKEN}"]))]
    token: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum ForgeType {
    GitHub,
    GitLab,
    Gitea,
    Forgejo,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Publish {
    /// The targets that a package goes to when none are named; all that can be written to where nothing is given.
    #[schemars(extend("examples" = [["near"]]))]
    default: Option<Vec<String>>,
    /// How many of them must hold a package before its record is written.
    #[schemars(range(min = 1), extend("default" = 1, "examples" = [2]))]
    require: Option<u32>,
    /// The targets, by names of your own ([targets](targets.md)).
    targets: Option<BTreeMap<String, Target>>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Store {
    /// The directory. Where none is given, `deploy-tool` in `$XDG_CACHE_HOME` or in `~/.cache`.
    #[schemars(title = "path", extend("examples" = ["/var/cache/deploy-tool"]))]
    path: Option<String>,
    /// The size that `store gc` shrinks it to. With 0 no package is kept.
    #[schemars(extend("default" = "50GiB", "examples" = ["200GiB"]))]
    max_size: Option<Size>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Log {
    /// Log lines on stderr in this form, and nothing else there. Where nothing is given, notes and warnings.
    #[schemars(extend("examples" = ["text"]))]
    stderr: Option<LogStyle>,
    /// The file that lines are appended to. Where none is given, none is written.
    #[schemars(title = "path", extend("examples" = ["/var/log/deploy-tool.log"]))]
    file: Option<String>,
    /// The form of its lines.
    #[schemars(extend("default" = "text", "examples" = ["json"]))]
    format: Option<LogStyle>,
    /// The size at which it gets another name: `.1`, then `.2` and so on.
    #[schemars(extend("default" = "10MiB", "examples" = ["100MiB"]))]
    max_size: Option<Size>,
    /// How many of those are kept.
    #[schemars(range(min = 1, max = 1000), extend("default" = 5, "examples" = [10]))]
    keep: Option<u32>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
enum LogStyle {
    Text,
    Json,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Metrics {
    /// A file for the node exporter's textfile collector, replaced after each run that changes something. Where none is given,
    /// none is written.
    #[schemars(title = "path", extend("examples" = ["/var/lib/node_exporter/textfile/deploy-tool.prom"]))]
    textfile: Option<String>,
}
