//! The configuration as a whole: the reference example, the defaults, every refusal with its place.

mod read;
mod refused;

use std::path::{Path, PathBuf};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::{ByteSize, Choice, ComponentType, Compression, RepositoryUrl, RepositoryUrlError};

fn env(name: &str) -> Option<String> {
    match name {
        "DATA" => Some("/data".into()),
        "LEVEL" => Some("7".into()),
        "STRUCTURE" => Some("x}\npack: {output: /stolen}".into()),
        "TOKEN" => Some("hidden-token".into()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn read(text: &str) -> Result<(Config, Vec<Warning>), Error> {
    parse(text, Path::new("/p/.deploy-tool.yaml"), &env, Some(Path::new("/home/mei")))
}

fn good(text: &str) -> Config {
    let (config, warnings) = read(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(warnings, []);
    config
}

fn kind(name: &str) -> ComponentType {
    name.parse().expect("a component type")
}

/// The example of the design, without the keys of features that come later.
const REFERENCE: &str = r#"
version: 1
project: {name: sentiment, type: ml, description: reviews, root: .}
components:
  model:   {source: ./models, description: weights, compression: zstd}
  config:  {source: ./configs, mutable: true}
  runtime: {source: ./runtime, depends: {config: ">=1.0"}}
pack:    {output: dist, compression: gzip, level: {gzip: 6, zstd: 3}, exclude: ["*.tmp"]}
records: {repository: ., branch: main, directory: records}
publish:
  default: [local, mirror]
  require: 1
  targets:
    local: {type: filesystem, path: /data/packages}
    mirror: {type: filesystem, path: ../mirror}
    cold: {type: filesystem, path: "${DATA}/cold", role: backup}
deploy:
  root: /opt/deployments
  sources: [local, [mirror, cold]]
  custom_links: {/app/models: /opt/deployments/links/model}
  hooks: {pre_switch: [], post_switch: [["systemctl", "--user", "reload", "app"]]}
  health: {http: "http://127.0.0.1:8080/healthz", timeout: 30s, healthy_for: 5s}
  keep: {last: 4, days: 30}
store:   {path: ~/.cache/deploy-tool, max_size: 20GiB}
"#;

/// The place, key and problem of a refusal.
fn bad(text: &str) -> (u64, u64, String, Problem) {
    let error = read(text).expect_err(text);
    assert_eq!(error.file, Path::new("/p/.deploy-tool.yaml"));
    (error.place.line, error.place.column, error.key, *error.problem)
}

fn refused(text: &str, line: u64, column: u64, key: &str, problem: Problem) {
    assert_eq!(bad(text), (line, column, key.to_owned(), problem), "{text}");
}
