//! The `.deploy-tool.yaml` that `init` writes: what was found, and a word on every section.

use std::fmt::Write;

use crate::model::ComponentType;

/// What `init` found in a directory. Paths are as the file shall spell them: relative ones are below its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The project's name.
    pub project: String,
    /// The components, each with the directory to pack.
    pub components: Vec<(ComponentType, String)>,
    /// The records repository; `None` leaves it to the default, a repository of the project's own that is made when it is needed.
    pub records: Option<String>,
    /// The directory of the one target, which is called `local`.
    pub target: String,
    /// The deployment root.
    pub root: String,
}

/// The commented file for what was found. [`super::parse`] reads the same values out of it.
pub fn template(found: &Found) -> String {
    let mut components = String::new();
    for (kind, source) in &found.components {
        let _ = write!(components, "\n  {}: {{source: {}}}", scalar(kind.as_str()), path(source));
    }
    if components.is_empty() {
        components.push_str(" {}\n  # model: {source: ./models}");
    }
    let records = match &found.records {
        Some(repository) => format!("repository: {}", path(repository)),
        None => "# repository: .            # unset: one of the project's own, in .deploy-tool/records".to_owned(),
    };
    format!(
        "\
# deploy-tool's configuration. Every key has a default: an empty file is valid.
# Values may use ${{VAR}} and ${{VAR:-default}}; $$ is a dollar. Relative paths are below this file's directory.
# Secrets do not belong here: they come from the environment.
version: 1

project:
  name: {name}
  # description: what it does
  # root: .                  # what the components' sources are relative to

# What is versioned on its own, and the directory that is packed for it.
# Each may have: description, compression, mutable: true (deployed files stay writable), exclude: [PATTERN],
# depends: {{config: \">=1.0\"}}, platform: {{os: linux, arch: x86_64}}, mtime: keep, mode: '0750' and group: NAME (who may read it)
components:{components}

# How packages are made. Version control's and Python's caches are always left out; exclude has gitignore syntax.
pack:
  output: dist
  compression: gzip          # gzip, zstd, lz4, xz, bzip2, none or auto
  # level: {{gzip: 6, zstd: 3}}
  # exclude: [\"*.tmp\"]

# The git repository that says which package is which version. Records are committed there, never pushed unasked.
records:
  {records}
  # branch: main             # unset: the branch that is checked out
  directory: records

# Where packages are kept. A record is written once `require` of the targets in `default` hold the package.
publish:
  default: [local]
  require: 1
  targets:
    local: {{type: filesystem, path: {target}}}

# The host's side: where versions are unpacked and linked.
deploy:
  root: {root}
  # sources: [local]         # read in this order; a list in the list is a tier of equals
  # connections: 4           # to each source at once
  # bandwidth: 50MiB/s       # over all of them; unset: as fast as they are
  # stall_timeout: 30s       # a connection over which nothing comes for so long is given up
  # memory: 64MiB            # what may wait in memory for its turn to be unpacked
  # custom_links: {{/app/models: {example}}}
  # hooks: {{pre_switch: [[./may-i]], post_switch: [[systemctl, --user, reload, app]]}}   # may the links move; they have
  # health: {{http: \"http://127.0.0.1:8080/healthz\", timeout: 30s, healthy_for: 5s}}   # else it is undone
  # confirm: 10m             # a deploy that nobody confirms in that time is undone
  # link: auto               # how a file that an older version has is shared: auto, reflink, hardlink or copy
  # verify: always           # hash what is shared first; whole: and compare every package with its index
  # share_with: [/srv/other] # other roots of yours whose versions may give files
  keep: {{last: 5}}            # what `version cleanup` leaves; days: 30 keeps what was current since

# The cache of packages on this machine.
# store: {{path: ~/.cache/deploy-tool, max_size: 50GiB}}   # 0: packages are not kept
",
        name = scalar(&found.project),
        target = path(&found.target),
        root = path(&found.root),
        example = "/opt/deployments/links/model",
    )
}

/// A path; one that only looks as if it began in the home directory is kept from doing so.
fn path(text: &str) -> String {
    let own = text == "~" || text.starts_with("~/");
    scalar(&if own { format!("./{text}") } else { text.to_owned() })
}

/// A text as YAML that reads back as the same text, dollars doubled: plain where that is safe, else quoted.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '.')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
        && !["null", "true", "false"].contains(&text.to_ascii_lowercase().as_str())
        && text.chars().any(|c| c.is_ascii_alphabetic() || c == '/' || text == ".");
    if plain {
        return text.to_owned();
    }
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '$' => quoted.push_str("$$"),
            c if c.is_control() || !(' '..='\u{d7ff}').contains(&c) || matches!(c, '\u{2028}' | '\u{2029}') => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use proptest::prelude::*;

    use super::*;
    use crate::config::{Config, parse};

    fn kind(name: &str) -> ComponentType {
        name.parse().expect("a component type")
    }

    fn good(text: &str) -> Config {
        let read = parse(text, Path::new("/p/.deploy-tool.yaml"), &|_| None, Some(Path::new("/home/mei")));
        let (config, warnings) = read.unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(warnings, []);
        config
    }

    fn found(project: &str, components: &[(&str, &str)], place: &str) -> Found {
        Found {
            project: project.into(),
            components: components.iter().map(|(name, source)| (kind(name), (*source).into())).collect(),
            records: Some(".".into()),
            target: place.into(),
            root: place.into(),
        }
    }

    #[test]
    fn the_template_is_a_file_to_learn_from() {
        let text =
            template(&found("sentiment", &[("model", "models"), ("config", "./configs")], ".deploy-tool/packages"));
        let config = good(&text);
        let sources: Vec<_> =
            config.components.iter().map(|(k, c)| (k.as_str(), c.source.display().to_string())).collect();
        assert_eq!(sources, [("config", "/p/configs".to_owned()), ("model", "/p/models".to_owned())]);
        assert_eq!(config.publish.default, ["local"]);
        // What is commented out is valid where it is taken in.
        let lines: Vec<_> = text.lines().collect();
        let examples = [
            "description:",
            "root: .",
            "level:",
            "exclude:",
            "branch:",
            "sources:",
            "connections:",
            "bandwidth:",
            "stall_timeout:",
            "memory:",
            "custom_links:",
            "hooks:",
            "health:",
            "confirm:",
            "link:",
            "verify:",
            "share_with:",
            "store:",
        ];
        for key in examples {
            let is_it = |line: &&str| line.trim_start().strip_prefix("# ").is_some_and(|rest| rest.starts_with(key));
            let at = lines.iter().position(is_it).expect(key);
            let mut lines = lines.clone();
            let taken_in = lines[at].replacen("# ", "", 1);
            lines[at] = &taken_in;
            good(&lines.join("\n"));
        }
        good(&template(&found("empty", &[], "x")));
    }

    proptest! {
        #[test]
        fn the_template_gives_back_what_was_found(name in "\\PC{1,12}|[\\x00-\\x7f]{1,8}", place in "[^\\x00/]{1,6}(/[^\\x00/.]{1,6}){0,2}") {
            let config = good(&template(&found(&name, &[("null", &place), ("true", "1.0")], &place)));
            prop_assert_eq!(&config.project.name, &name);
            let there: PathBuf = Path::new("/p").join(&place).components().collect();
            prop_assert_eq!(&config.components[&kind("null")].source, &there);
            prop_assert_eq!(&config.components[&kind("true")].source, Path::new("/p/1.0"));
            prop_assert_eq!(config.deploy.root, Some(there));
        }
    }
}
