//! `record check`: what a request to merge brings into the records, and whether it may.
//!
//! Joins the rules of the records with signatures and the policy (`trust`), and where it is asked for with what lies at the
//! targets (`fetch`, `deltas`). The policy is that of BASE, never the one that the request brings; keys come from the configuration.

mod deltas;
mod fetch;

pub use deltas::Elsewhere;

use super::trust;
use super::{Error, OnProgress, Site, record};
use crate::model::Lack;
use crate::records::{self, Severity};
use crate::transfer::Refused;
use crate::trust::Why;

/// One thing that a finding tells of.
#[derive(Debug)]
pub enum Fact {
    /// A name, a version, a number.
    Text(String),
    /// Why a signature does not count.
    Why(Why),
    /// What the policy asks for besides.
    Lacks(Vec<Lack>),
    /// Why a location is not read.
    Refused(Box<Refused>),
    /// What failed.
    Error(Box<Error>),
    /// Why a delta is not the one that the record tells of.
    Delta(Box<Elsewhere>),
}

impl From<String> for Fact {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// What was found, in a file of the repository.
pub type Finding = records::Finding<Fact>;

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// What it is to be merged into, a commit or a tree; `None` where there is nothing, and all of `head` is looked at.
    pub base: Option<String>,
    /// What is to be merged.
    pub head: String,
}

/// What `record check` found.
#[derive(Debug)]
pub struct Report {
    /// The commit or tree of the base.
    pub base: Option<String>,
    /// The commit or tree that was looked at.
    pub head: String,
    /// How many files differ.
    pub files: usize,
    /// What is wrong with them, in order of file and line. Files are named by their paths inside the repository.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether it must not be merged.
    pub fn is_refused(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many findings are so bad.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }
}

/// `record check`: looks at what the range brings, and with `fetch` at what its locations hold. Without `fetch` nothing is
/// written; with it, the packages come into the store. Progress is in bytes: of all versions of a component at all their locations.
///
/// # Errors
///
/// A name of no commit; objects, lists of keys or a policy of BASE that cannot be read.
pub fn check(site: &Site, range: &Range, fetch: bool, progress: OnProgress<'_>) -> Result<Report, Error> {
    let repository = record::existing(site)?;
    let request = repository.request(range.base.as_deref(), &range.head)?;
    let mut findings: Vec<Finding> = request.check()?.into_iter().map(from_records).collect();
    trust::review(site, &request, &mut findings)?;
    if fetch {
        fetch::check(site, (&repository, &request), &mut findings, progress)?;
    }
    findings.sort_by(|left, right| (&left.file, left.line).cmp(&(&right.file, right.line)));
    for finding in &mut findings {
        finding.file = repository.path_of(&finding.file);
    }
    let id = |snapshot: &records::Snapshot<'_>| snapshot.commit_id().unwrap_or_default().to_owned();
    let (base, head) = (request.base.as_ref().map(id), id(&request.head));
    Ok(Report { base, head, files: request.changes.len(), findings })
}

fn from_records(finding: records::Finding) -> Finding {
    let facts = finding.facts.into_iter().map(|(name, fact)| (name, Fact::Text(fact))).collect();
    Finding { rule: finding.rule, severity: finding.severity, file: finding.file, line: finding.line, facts }
}
