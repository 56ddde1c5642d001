//! What a reviewer wants to know of a change, in words: a value becomes a title and Markdown.
//!
//! The same value gives the same text, so that a request whose text stays needs no update. What forges limit is kept
//! below the least of their limits: 255 characters of title (Gitea), 65 536 of body (GitHub).

use std::fmt::Write as _;

use super::Text;

use super::markdown::{Files, code};
use crate::model::{self, ByteSize, ComponentType, Dependency, EnvironmentName, Sha256};

/// The most characters of a title.
const TITLE: usize = 250;
/// The most characters of a body.
const BODY: usize = 60_000;
/// The most files that are shown of one component, while the body has room.
const FILES: usize = 50;

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// New versions, or new places of old ones.
    Publish,
    /// Other versions for an environment.
    Environment {
        /// Its name.
        name: EnvironmentName,
        /// The serial number of its file afterwards.
        serial: u64,
        /// Where the versions come from, where it is another environment.
        promoted_from: Option<EnvironmentName>,
    },
}

/// One version of a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The version.
    pub version: model::Version,
    /// The digest of its package.
    pub sha256: Sha256,
    /// The length of its package in bytes; `None` where its record is not there.
    pub size: Option<u64>,
}

/// A component that needs another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependent {
    /// The component.
    pub component: ComponentType,
    /// Its version.
    pub version: model::Version,
    /// The versions it can do with, as its manifest says.
    pub needs: String,
    /// Whether it can do with the new one.
    pub is_met: bool,
}

/// How a host comes to have a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// It has all of it.
    Nothing,
    /// The whole package.
    Whole,
    /// The parts that it lacks.
    Missing,
    /// A delta from this version.
    Delta(model::Version),
}

/// One component that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The component.
    pub component: ComponentType,
    /// The version before; `None` for the first.
    pub from: Option<Version>,
    /// The version afterwards; `None` where it is left out.
    pub to: Option<Version>,
    /// How the trees differ; `None` where one of them has no index that can be read.
    pub files: Option<Files>,
    /// The bytes that a host with the version before fetches, by each way there is, the one it takes first; empty where nothing
    /// is deployed.
    pub fetch: Vec<(Way, u64)>,
    /// What the new version needs.
    pub needs: Vec<Dependency>,
    /// What needs this component.
    pub dependents: Vec<Dependent>,
    /// The names of the places where the package lies, each with what people call the place.
    pub places: Vec<(String, String)>,
    /// Who signed the new version.
    pub signers: Vec<String>,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// What it is about.
    pub subject: Subject,
    /// The components that change, by name.
    pub changes: Vec<Change>,
}

/// The words of a request.
pub fn text(description: &Description) -> Text {
    let body = |files| {
        let parts = description.changes.iter().map(|change| part(change, files));
        let parts: Vec<_> = head(&description.subject).into_iter().chain(parts).collect();
        parts.join("\n")
    };
    let fits = |body: &String| body.chars().count() <= BODY;
    let body = [FILES, 5, 0].into_iter().map(body).find(fits).unwrap_or_else(|| short(description));
    Text { title: title(description), body }
}

/// `publish: model 1.0.1`, `prod: model 1.0.0 -> 1.0.1, without runtime`.
fn title(description: &Description) -> String {
    let one = |change: &Change| match (&change.from, &change.to) {
        (_, None) => format!("without {}", change.component),
        (Some(from), Some(to)) if description.subject != Subject::Publish => {
            format!("{} {} -> {}", change.component, from.version, to.version)
        }
        (_, Some(to)) => format!("{} {}", change.component, to.version),
    };
    let about = match &description.subject {
        Subject::Publish => "publish".to_owned(),
        Subject::Environment { name, .. } => name.to_string(),
    };
    let title = format!("{about}: {}", description.changes.iter().map(one).collect::<Vec<_>>().join(", "));
    match title.chars().count() > TITLE {
        true => format!("{about}: {} components", description.changes.len()),
        false => title,
    }
}

fn head(subject: &Subject) -> Option<String> {
    let Subject::Environment { name, serial, promoted_from } = subject else { return None };
    let from = promoted_from.as_ref().map(|from| format!(", promoted from {}", code(from.as_str())));
    Some(format!("Environment {}, serial {serial}{}.\n", code(name.as_str()), from.unwrap_or_default()))
}

/// What is left where even the heads of so many components are too much.
fn short(description: &Description) -> String {
    let lines = description.changes.iter().map(heading).collect::<Vec<_>>().join("\n");
    let cut: String = lines.chars().take(BODY).collect();
    // Nothing that is cut in the middle: it ends with a whole line.
    cut.rsplit_once('\n').map_or(cut.as_str(), |(whole, _)| whole).to_owned() + "\n"
}

fn heading(change: &Change) -> String {
    let version = |version: &Option<Version>| {
        version.as_ref().map_or_else(|| "(none)".to_owned(), |version| code(version.version.as_str()))
    };
    format!("### {} {} → {}\n", code(change.component.as_str()), version(&change.from), version(&change.to))
}

fn part(change: &Change, limit: usize) -> String {
    let mut out = heading(change);
    let _ = writeln!(out, "\n| | package | size |\n|---|---|---|");
    for (name, side) in [("before", &change.from), ("after", &change.to)] {
        let Some(side) = side else { continue };
        let size = side.size.map_or_else(|| "not recorded".to_owned(), |size| ByteSize(size).to_string());
        let _ = writeln!(out, "| {name} | `sha256:{}` | {size} |", side.sha256);
    }
    if let Some(files) = &change.files {
        let _ = writeln!(out, "\n{}", files.sentence());
        if !files.differences.is_empty() && limit > 0 {
            let table = files.table(limit);
            let _ = writeln!(out, "\n<details><summary>What differs</summary>\n\n{table}\n</details>");
        }
    }
    let _ = writeln!(out);
    let mut line = |what: &str, words: String| {
        let _ = writeln!(out, "- {what}: {words}");
    };
    if let Some((first, others)) = change.fetch.split_first() {
        let way = |(way, bytes): &(Way, u64)| {
            let way = match way {
                Way::Nothing => "the index alone".to_owned(),
                Way::Whole => "the whole package".to_owned(),
                Way::Missing => "the parts that it lacks".to_owned(),
                Way::Delta(from) => format!("a delta from {}", code(from.as_str())),
            };
            format!("{}, {way}", ByteSize(*bytes))
        };
        let others: Vec<_> = others.iter().map(way).collect();
        let not = if others.is_empty() { String::new() } else { format!(" (not {})", others.join("; ")) };
        line("A host fetches", format!("{}{not}", way(first)));
    }
    if change.to.is_some() {
        let need = |need: &Dependency| format!("{} {}", code(need.kind.as_str()), code(&need.version.to_string()));
        line("Needs", listed(change.needs.iter().map(need), "nothing"));
    }
    let dependent = |dependent: &Dependent| {
        let (name, version) = (code(dependent.component.as_str()), code(dependent.version.as_str()));
        let met = if dependent.is_met { "" } else { ", **which this is not**" };
        format!("{name} {version} (needs {}{met})", code(&dependent.needs))
    };
    line("Needed by", listed(change.dependents.iter().map(dependent), "nothing"));
    if change.to.is_some() {
        let place = |(name, place): &(String, String)| format!("{} ({})", code(name), code(place));
        line("Lies at", listed(change.places.iter().map(place), "no place"));
        line("Signed by", listed(change.signers.iter().map(|signer| code(signer)), "nobody"));
    }
    out
}

fn listed(words: impl Iterator<Item = String>, nothing: &str) -> String {
    let words: Vec<_> = words.collect();
    if words.is_empty() { nothing.to_owned() } else { words.join(", ") }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::super::markdown::{Difference, Seen};
    use super::*;

    fn version(version: &str, size: Option<u64>) -> Version {
        Version { version: version.parse().expect("a version"), sha256: Sha256::of(version.as_bytes()), size }
    }

    fn seen(size: u64) -> Option<Seen> {
        Some(Seen { kind: "file", mode: "0644".to_owned(), size: Some(size), target: None })
    }

    fn change() -> Change {
        let difference = |path: &str, was, is| Difference { path: path.to_owned(), was, is };
        let link = Seen { kind: "symlink", mode: "0777".to_owned(), size: None, target: Some("a|b".to_owned()) };
        let differences = vec![
            difference("bert/config.json", seen(12), seen(14)),
            difference("bert/<b>bold</b> | @all.bin", None, seen(300_000)),
            difference("latest", seen(1), Some(link)),
            difference("vocab.txt", seen(6), None),
        ];
        Change {
            component: "model".parse().expect("a type"),
            from: Some(version("1.0.0", Some(290_000))),
            to: Some(version("1.0.1", Some(300_000))),
            files: Some(Files { differences, same: 3 }),
            fetch: vec![(Way::Missing, 300_512), (Way::Whole, 3_000_000)],
            needs: vec![Dependency {
                kind: "runtime".parse().expect("a type"),
                version: ">=3.10, <4".parse().expect("a range"),
            }],
            dependents: vec![Dependent {
                component: "config".parse().expect("a type"),
                version: "2".parse().expect("a version"),
                needs: "=1.0.0".to_owned(),
                is_met: false,
            }],
            places: vec![("near".to_owned(), "file:///data/packages/model/1.0.1/model-1.0.1.tar.gz".to_owned())],
            signers: vec!["mei@example.org".to_owned()],
        }
    }

    fn environment() -> Subject {
        let name = |name: &str| name.parse().expect("a name");
        Subject::Environment { name: name("prod"), serial: 7, promoted_from: Some(name("staging")) }
    }

    #[test]
    fn a_change_of_an_environment() {
        let runtime = "runtime".parse().expect("a type");
        let gone = Change {
            component: runtime,
            from: Some(version("3.10.12", None)),
            to: None,
            files: None,
            fetch: Vec::new(),
            needs: Vec::new(),
            dependents: Vec::new(),
            places: Vec::new(),
            signers: Vec::new(),
        };
        let text = text(&Description { subject: environment(), changes: vec![change(), gone] });
        assert_eq!(text.title, "prod: model 1.0.0 -> 1.0.1, without runtime");
        assert_snapshot!(text.body, @r"
        Environment `prod`, serial 7, promoted from `staging`.

        ### `model` `1.0.0` → `1.0.1`

        | | package | size |
        |---|---|---|
        | before | `sha256:92521fc3cbd964bdc9f584a991b89fddaa5754ed1cc96d6d42445338669c1305` | 283.2 KiB |
        | after | `sha256:d51e6ec94058554a84558a5b402ee6ef5fdf5455e35c902feda61cda8752943a` | 293.0 KiB |

        Files: 1 added, 1 removed, 2 changed, 3 the same.

        <details><summary>What differs</summary>

        | change | path | was | is |
        |---|---|---|---|
        | changed | `bert/config.json` | 12 B | 14 B |
        | added | <code>bert&#47;&#60;b&#62;bold&#60;&#47;b&#62;&#32;&#124;&#32;&#64;all&#46;bin</code> |  | 293.0 KiB |
        | changed | `latest` | 1 B, mode 0644 | symlink to <code>a&#124;b</code>, mode 0777 |
        | removed | `vocab.txt` | 6 B |  |

        </details>

        - A host fetches: 293.5 KiB, the parts that it lacks (not 2.9 MiB, the whole package)
        - Needs: `runtime` `>=3.10, <4`
        - Needed by: `config` `2` (needs `=1.0.0`, **which this is not**)
        - Lies at: `near` (`file:///data/packages/model/1.0.1/model-1.0.1.tar.gz`)
        - Signed by: `mei@example.org`

        ### `runtime` `3.10.12` → (none)

        | | package | size |
        |---|---|---|
        | before | `sha256:f75561b1c9fdfa02ce03ab2f4d02e2cae7b1bda13ed78b4ea5771c9efde8f060` | not recorded |

        - Needed by: nothing
        ");
    }

    #[test]
    fn a_first_version() {
        let first = Change {
            from: None,
            files: None,
            needs: Vec::new(),
            dependents: Vec::new(),
            signers: Vec::new(),
            ..change()
        };
        let text = text(&Description { subject: Subject::Publish, changes: vec![first] });
        assert_eq!(text.title, "publish: model 1.0.1");
        assert_snapshot!(text.body, @r"
        ### `model` (none) → `1.0.1`

        | | package | size |
        |---|---|---|
        | after | `sha256:d51e6ec94058554a84558a5b402ee6ef5fdf5455e35c902feda61cda8752943a` | 293.0 KiB |

        - A host fetches: 293.5 KiB, the parts that it lacks (not 2.9 MiB, the whole package)
        - Needs: nothing
        - Needed by: nothing
        - Lies at: `near` (`file:///data/packages/model/1.0.1/model-1.0.1.tar.gz`)
        - Signed by: nobody
        ");
    }

    #[test]
    fn what_is_too_long_is_shown_in_part() {
        let difference = |n: usize| Difference { path: format!("{}/{n}", "d".repeat(190)), was: None, is: seen(1) };
        let files = Files { differences: (0..400).map(difference).collect(), same: 0 };
        let long = Change { files: Some(files), ..change() };
        let one = text(&Description { subject: Subject::Publish, changes: vec![long.clone()] });
        assert!(one.body.contains("350 more are not shown") && one.body.chars().count() < BODY);
        let many = text(&Description { subject: environment(), changes: vec![long.clone(); 30] });
        assert!(many.body.contains("395 more are not shown") && many.body.chars().count() <= BODY);
        assert!(many.title.chars().count() <= TITLE, "{}", many.title);
        let more = text(&Description { subject: environment(), changes: vec![change(); 2_000] });
        assert!(more.body.chars().count() <= BODY && more.body.ends_with('\n'), "{}", more.body.len());
        assert_eq!(more.title, "prod: 2000 components");
    }
}
