//! Sentences for what `record check` finds. The rule of a finding is the key of its words.

use super::{Explain as _, missing, reason};
use crate::cli::words::{say, say_with};
use crate::ops::check::{Elsewhere, Fact, Finding};

/// The words of a finding.
pub struct ToldFinding {
    /// The file.
    pub file: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// The words of a finding.
pub fn told(finding: &Finding) -> ToldFinding {
    let key = format!("review.{}", finding.rule);
    let mut args: Vec<_> = finding.facts.iter().map(|(name, fact)| (*name, words(name, fact))).collect();
    args.push(("file", finding.file.clone()));
    ToldFinding {
        file: visible(&finding.file),
        message: visible(&say_with(&key, &args).unwrap_or_else(|| finding.rule.to_owned())),
        hint: visible(&say_with(&format!("{key}.hint"), &args).unwrap_or_default()),
    }
}

/// Without line ends and what else would move a terminal: names in a request can be anything.
fn visible(text: &str) -> String {
    let shown = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(shown).collect()
}

fn words(name: &str, fact: &Fact) -> String {
    match fact {
        Fact::Text(people) if name == "people" && people.is_empty() => say("trust.no-signature", &[]),
        Fact::Text(line) if name == "expected" && line.is_empty() => say("record-check.line-end", &[]),
        Fact::Text(people) if name == "people" => say("trust.signed-by", &[("people", people.clone())]),
        Fact::Text(text) => text.clone(),
        Fact::Why(why) => reason(why),
        Fact::Lacks(lacks) => lacks.iter().map(missing).collect::<Vec<_>>().join("; "),
        Fact::Refused(refused) => refused.explain().text(),
        Fact::Error(error) => error.explain().text(),
        Fact::Delta(why) => elsewhere(why),
    }
}

fn elsewhere(why: &Elsewhere) -> String {
    match why {
        Elsewhere::Header(error) => error.explain().text(),
        Elsewhere::OtherHeader { bytes, sha256 } => {
            say("elsewhere.header", &[("bytes", bytes.to_string()), ("sha256", sha256.to_string())])
        }
        Elsewhere::Size(bytes) => say("elsewhere.size", &[("bytes", bytes.to_string())]),
        Elsewhere::From(version, tree) => {
            say("elsewhere.from", &[("version", version.to_string()), ("tree", tree.to_string())])
        }
        Elsewhere::To(version, tree) => {
            say("elsewhere.to", &[("version", version.to_string()), ("tree", tree.to_string())])
        }
    }
}
