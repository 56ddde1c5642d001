//! Values of the tree with the path of keys that leads to them, and the ways to read one.
//!
//! Every refusal names file, line, column and key. A scalar is interpolated when it is read; a refusal repeats it as
//! it is written, so that what a variable holds stays out of messages.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::error::{Error, Place, Problem, Shape};
use super::interpolate::{Failure, interpolate};
use super::node::{Node, Value};
use super::suggest::nearest;

/// Longer values are cut where a message shows them.
const SHOWN_CHARS: usize = 80;

/// What the file's values are read against.
pub(super) struct Context<'a> {
    /// The configuration's path, for messages.
    pub file: &'a Path,
    /// Looks a variable up.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// What `~` stands for.
    pub home: Option<&'a Path>,
}

/// A value, where it stands and how it is reached.
pub(super) struct Item<'a> {
    context: &'a Context<'a>,
    key: String,
    node: Node,
}

/// The values of `known` keys of an optional mapping, in that order; any other key is refused.
/// A key without a value counts as absent, so that a section whose lines are all commented out is valid.
pub(super) fn keys<'a, const N: usize>(
    mapping: Option<Item<'a>>,
    known: [&'static str; N],
) -> Result<[Option<Item<'a>>; N], Error> {
    let mut found = known.map(|_| None);
    for (key, item) in mapping.map(Item::entries).transpose()?.into_iter().flatten() {
        match known.iter().position(|name| *name == key.text_as_written()) {
            Some(index) => found[index] = (!item.is_nothing()).then_some(item),
            None => {
                let name = key.text_as_written().to_owned();
                let nearest = nearest(&name, known);
                return Err(key.error(Problem::UnknownKey { name, nearest, known: known.to_vec() }));
            }
        }
    }
    Ok(found)
}

/// The text of an optional value.
pub(super) fn text(item: Option<Item<'_>>) -> Result<Option<String>, Error> {
    item.map(|item| item.text()).transpose()
}

/// The path an optional value names.
pub(super) fn path(item: Option<Item<'_>>, base: &Path) -> Result<Option<PathBuf>, Error> {
    item.map(|item| item.path(base)).transpose()
}

impl<'a> Item<'a> {
    /// The whole document; its key is empty.
    pub fn root(context: &'a Context<'a>, node: Node) -> Self {
        Self { context, key: String::new(), node }
    }

    /// A refusal of this value.
    pub fn error(&self, problem: Problem) -> Error {
        error(self.context, self.node.place, &self.key, problem)
    }

    /// Whether nothing is written here (`~` is something where a path is read).
    fn is_nothing(&self) -> bool {
        matches!(&self.node.value, Value::Null(spelled) if spelled != "~")
    }

    /// The scalar as it is written, cut to a length that fits a message.
    pub fn shown(&self) -> String {
        let written = self.text_as_written();
        let mut shown: String = written.chars().take(SHOWN_CHARS).flat_map(escape).collect();
        if written.chars().nth(SHOWN_CHARS).is_some() {
            shown.push('…');
        }
        shown
    }

    /// The scalar as it is written, variables and all; empty for a list or mapping.
    pub fn text_as_written(&self) -> &str {
        match &self.node.value {
            Value::Text(text) | Value::Null(text) => text,
            Value::List(_) | Value::Map(_) => "",
        }
    }

    /// The value of a key of this mapping, without a look at its other keys; `None` as [`keys`] has it.
    pub fn peek(&self, name: &str) -> Result<Option<Item<'a>>, Error> {
        let entries = match &self.node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null(_) => &[],
            other => return Err(shape(self.context, self.node.place, &self.key, Shape::Mapping, other)),
        };
        let node = entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node.clone());
        let item = node.map(|node| Item { context: self.context, key: join(&self.key, name), node });
        Ok(item.filter(|item| !item.is_nothing()))
    }

    /// Every key of a mapping with its value, in the order of the file. Keys are items too: they have a place and are
    /// read like values.
    pub fn entries(self) -> Result<Vec<(Item<'a>, Item<'a>)>, Error> {
        let entries = match self.node.value {
            Value::Map(entries) => entries,
            Value::Null(_) => Vec::new(),
            other => return Err(shape(self.context, self.node.place, &self.key, Shape::Mapping, &other)),
        };
        let both = entries.into_iter().map(|(name, value)| {
            let key = join(&self.key, &name.name);
            let node = Node { place: name.place, value: Value::Text(name.name) };
            (Item { context: self.context, key: key.clone(), node }, Item { context: self.context, key, node: value })
        });
        Ok(both.collect())
    }

    /// The items of a list.
    pub fn list(self) -> Result<Vec<Item<'a>>, Error> {
        match self.node.value {
            Value::List(nodes) => {
                let item = |(index, node)| Item { context: self.context, key: format!("{}[{index}]", self.key), node };
                Ok(nodes.into_iter().enumerate().map(item).collect())
            }
            other => Err(shape(self.context, self.node.place, &self.key, Shape::List, &other)),
        }
    }

    /// Whether the value is a list.
    pub fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    /// Whether the value is a mapping.
    pub fn is_mapping(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// The text with its variables replaced; never empty.
    pub fn text(&self) -> Result<String, Error> {
        let written = match &self.node.value {
            Value::Text(text) => text,
            Value::Null(_) => return Err(self.error(Problem::Empty)),
            other => return Err(shape(self.context, self.node.place, &self.key, Shape::Scalar, other)),
        };
        match interpolate(written, self.context.env) {
            Ok(text) if text.is_empty() => Err(self.error(Problem::Empty)),
            Ok(text) => Ok(text),
            Err(Failure::Unset(variable)) => Err(self.error(Problem::UnsetVariable { variable })),
            Err(Failure::Malformed) => Err(self.error(Problem::Dollar { value: self.shown() })),
        }
    }

    /// The text with its variables replaced, which may be empty where the file says so: `""`, or an empty variable.
    pub fn text_or_empty(&self) -> Result<String, Error> {
        match (self.text(), &self.node.value) {
            (Err(e), Value::Text(_)) if *e.problem == Problem::Empty => Ok(String::new()),
            (other, _) => other,
        }
    }

    /// The text with its variables replaced; `None` where it is empty or a variable is unset.
    pub fn text_if_given(&self) -> Result<Option<String>, Error> {
        match self.text() {
            Ok(text) => Ok(Some(text)),
            Err(e) if matches!(*e.problem, Problem::Empty | Problem::UnsetVariable { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The text as a value that is made by parsing; `problem` says what is wrong where it cannot be made.
    pub fn parse<T: FromStr>(&self, problem: impl FnOnce(String, T::Err) -> Problem) -> Result<T, Error> {
        self.text()?.parse().map_err(|reason| self.error(problem(self.shown(), reason)))
    }

    /// A whole number of a range.
    pub fn number(&self, min: i64, max: i64) -> Result<i64, Error> {
        let number = self.text()?.parse::<i64>().ok().filter(|number| (min..=max).contains(number));
        number.ok_or_else(|| self.error(Problem::Number { value: self.shown(), min, max }))
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Result<bool, Error> {
        self.parse(|value, _| Problem::Boolean { value })
    }

    /// The choice whose word is written.
    pub fn choice<T: Copy>(&self, choices: &[(&'static str, T)]) -> Result<T, Error> {
        let text = self.text()?;
        let chosen = choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
        chosen.ok_or_else(|| {
            let allowed: Vec<&'static str> = choices.iter().map(|(word, _)| *word).collect();
            let nearest = nearest(&text, allowed.iter().copied());
            self.error(Problem::Choice { value: self.shown(), nearest, allowed })
        })
    }

    /// A path: `~` and `~/…` are in the home directory, a relative one is below `base`. Nothing is looked up on disk;
    /// `.` components are dropped and `..` ones stay, since a link before them may lead elsewhere.
    pub fn path(&self, base: &Path) -> Result<PathBuf, Error> {
        let text = match &self.node.value {
            Value::Null(spelled) if spelled == "~" => spelled.clone(),
            _ => self.text()?,
        };
        if text.contains('\0') {
            return Err(self.error(Problem::NotAPath { value: self.shown() }));
        }
        let below_home = if text == "~" { Some("") } else { text.strip_prefix("~/") };
        let path = match (below_home, self.context.home) {
            (None, _) => base.join(&text),
            (Some(below), Some(home)) => home.join(below.trim_start_matches('/')),
            (Some(_), None) => return Err(self.error(Problem::NoHome { value: self.shown() })),
        };
        Ok(path.components().collect())
    }
}

/// A refusal.
pub(super) fn error(context: &Context<'_>, place: Place, key: &str, problem: Problem) -> Error {
    Error { file: context.file.to_owned(), place, key: key.to_owned(), problem: Box::new(problem) }
}

fn shape(context: &Context<'_>, place: Place, key: &str, wanted: Shape, value: &Value) -> Error {
    let nothing = matches!(value, Value::Null(_));
    let problem = if nothing { Problem::Empty } else { Problem::Shape { wanted, found: value.shape() } };
    error(context, place, key, problem)
}

/// The path of a key below another.
pub(super) fn join(path: &str, name: &str) -> String {
    let name: String = name.chars().take(SHOWN_CHARS).flat_map(escape).collect();
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

fn escape(c: char) -> impl Iterator<Item = char> {
    let escaped = c.is_control().then(|| c.escape_default());
    let plain = (!c.is_control()).then_some(c);
    plain.into_iter().chain(escaped.into_iter().flatten())
}
