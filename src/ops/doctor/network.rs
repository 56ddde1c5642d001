//! What may lie behind the network: targets and the remote of the records repository, asked side by side and for a bounded
//! time. A target is asked for the sizes of the packages that should be there, and a part of one is read for its speed.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::finding::{Finding, Severity};
use super::records::Known;
use crate::config::TargetPlace;
use crate::ops::Site;
use crate::process::{self, Command, Ended};
use crate::records::Published;
use crate::target::{self, Ambient, Fault, Target, Wanted};

/// So long one answer may take, all questions being asked at once.
const LIMIT: Duration = Duration::from_secs(10);

/// So many bytes are read of a package.
const SAMPLE: u64 = 1 << 20;

/// What fewer bytes take tells nothing of speed.
const TELLING: u64 = 64 << 10;

/// So git asks nobody for a login, nor does ssh.
const UNASKED: [(&str, &str); 4] =
    [("GIT_TERMINAL_PROMPT", "0"), ("GIT_ASKPASS", "true"), ("SSH_ASKPASS", "true"), ("SSH_ASKPASS_REQUIRE", "force")];

/// A question, and what is found where no answer comes.
struct Question {
    silent: Finding,
    ask: Box<dyn FnOnce() -> Vec<Finding> + Send>,
}

pub(super) fn look(site: &Site, known: Known) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut questions = Vec::new();
    let mut ambient = site.ambient.clone();
    ambient.stall_timeout = ambient.stall_timeout.min(LIMIT / 2);
    for target in &site.config.publish.targets {
        match target::open(target, &ambient, known.top.as_deref()) {
            Ok(opened) => {
                let files = files(&*opened, &known.current);
                let may_be_empty = matches!(target.place, TargetPlace::Http(_) | TargetPlace::Oci(_));
                let silent = Finding::warning("target-silent").with("name", &target.name);
                let silent = silent.number("seconds", LIMIT.as_secs());
                questions.push(Question { silent, ask: Box::new(move || ask(&*opened, &files, may_be_empty)) });
            }
            Err(error) => {
                findings.push(Finding::warning("target-unusable").with("name", &target.name).because(error));
            }
        }
    }
    let targets = findings.len() + questions.len();
    questions.extend(known.remote.map(|(path, name)| remote(&site.ambient, path, name)));
    findings.extend(all(questions));
    // As long as one target answers, deploys go on.
    let lost = ["target-silent", "target-unusable", "target-unreachable"];
    let lost = |finding: &&mut Finding| lost.contains(&finding.id);
    if targets > 0 && findings.iter_mut().filter(lost).count() == targets {
        findings.iter_mut().filter(lost).for_each(|finding| finding.severity = Severity::Error);
    }
    findings
}

/// Asks everything at once. Who has not answered in time is not waited for any longer: its thread ends with the process.
fn all(questions: Vec<Question>) -> Vec<Finding> {
    let (send, answers) = mpsc::channel();
    let mut waiting: Vec<Option<Finding>> = Vec::new();
    for (number, Question { silent, ask }) in questions.into_iter().enumerate() {
        let send = send.clone();
        waiting.push(Some(silent));
        // Where no thread can be started there is no answer either. Nobody may be listening any more.
        let _ = std::thread::Builder::new().spawn(move || drop(send.send((number, ask()))));
    }
    drop(send);
    let deadline = Instant::now() + LIMIT;
    let mut findings: Vec<(usize, Finding)> = Vec::new();
    while let Ok((number, answer)) = answers.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        waiting.get_mut(number).into_iter().for_each(|silent| *silent = None);
        findings.extend(answer.into_iter().map(|finding| (number, finding)));
    }
    findings.extend(waiting.into_iter().enumerate().filter_map(|(number, silent)| Some((number, silent?))));
    findings.sort_by_key(|(number, _)| *number);
    findings.into_iter().map(|(_, finding)| finding).collect()
}

/// A package that should be at a target.
struct File {
    what: String,
    key: String,
    size: u64,
}

fn files(target: &dyn Target, published: &[Published]) -> Vec<File> {
    let mut files = Vec::new();
    for version in published {
        let package = &version.manifest.package;
        let wanted = Wanted { file: &package.file, sha256: package.checksum.value };
        let places = version.record.locations.iter().map(|location| &location.place);
        let key = places.into_iter().find_map(|place| target.locate(place, wanted));
        let what = format!("{}@{}", version.component(), version.version());
        files.extend(key.map(|key| File { what, key, size: package.size }));
    }
    files
}

fn ask(target: &dyn Target, files: &[File], may_be_empty: bool) -> Vec<Finding> {
    let about = |finding: Finding| finding.with("name", target.name());
    match measure(target, files) {
        Ok(findings) => findings.into_iter().map(about).collect(),
        // A login that only reads and publishes need not list, and some servers have no list.
        Err(target::Error::NoList { .. }) => vec![about(Finding::ok("target-not-asked"))],
        Err(target::Error::Remote { fault: Fault::Denied { .. } | Fault::Status { .. }, .. })
            if may_be_empty && files.is_empty() =>
        {
            vec![about(Finding::ok("target-not-asked"))]
        }
        Err(error) => vec![about(Finding::warning("target-unreachable")).because(error)],
    }
}

fn measure(target: &dyn Target, files: &[File]) -> target::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let started = Instant::now();
    if files.is_empty() {
        // Nothing is called so: the answer is empty, and an answer.
        target.list("deploy-tool-doctor/")?;
        return Ok(vec![answered(started.elapsed())]);
    }
    let mut there = Vec::new();
    let mut first = None;
    for file in files {
        let size = target.size(&file.key)?;
        first.get_or_insert_with(|| started.elapsed());
        let about = |finding: Finding| finding.with("what", &file.what).with("place", target.shown(&file.key));
        match size {
            None => findings.push(about(Finding::warning("target-lacks"))),
            Some(size) if size != file.size => {
                let finding = about(Finding::error("target-other-size"));
                findings.push(finding.number("size", size).number("expected", file.size));
            }
            Some(_) => there.push(file),
        }
    }
    match there.into_iter().max_by_key(|file| file.size).filter(|file| file.size > 0) {
        Some(file) => findings.push(speed(target, file)?),
        None => findings.push(answered(first.unwrap_or_default())),
    }
    Ok(findings)
}

fn answered(took: Duration) -> Finding {
    Finding::ok("target-answers").number("milliseconds", took.as_millis())
}

/// Reads the beginning of a package.
fn speed(target: &dyn Target, file: &File) -> target::Result<Finding> {
    let started = Instant::now();
    let reading = target.read(&file.key, Some(0..file.size.min(SAMPLE)))?;
    let waited = started.elapsed();
    let read = io::copy(&mut reading.body.take(SAMPLE), &mut io::sink());
    let read = read.map_err(|e| crate::fsx::Error::new(crate::fsx::Action::Read, target.shown(&file.key), e))?;
    if read < TELLING {
        return Ok(answered(waited));
    }
    let second = started.elapsed().as_secs_f64().max(1e-6);
    let finding = Finding::ok("target-ok").number("milliseconds", waited.as_millis());
    Ok(finding.bytes("read", read).bytes("speed", (read as f64 / second) as u64))
}

/// Asks a remote for its branches with the user's `git` program, which knows the user's logins and may ask for none. Its
/// words may hold a login, so they are not kept.
fn remote(ambient: &Ambient, path: PathBuf, name: String) -> Question {
    let silent = Finding::warning("remote-silent").path("path", &path).with("name", &name);
    let mut environment = ambient.variables.clone();
    for (variable, value) in UNASKED {
        environment.insert(variable.to_owned(), value.to_owned());
    }
    let ask = move || {
        let args = ["ls-remote", "--quiet", "--heads", &name].map(str::to_owned);
        let git = Command { program: Path::new("git"), args: &args, dir: &path, environment: &environment };
        let about = |finding: Finding| finding.path("path", &path).with("name", &name);
        vec![about(match process::run(&git, LIMIT - Duration::from_secs(1)).map(|ran| ran.ended) {
            Ok(Ended::Exit(0)) => Finding::ok("remote-ok"),
            Ok(Ended::TimedOut) => Finding::warning("remote-silent"),
            Ok(Ended::Exit(_) | Ended::Signal(_)) => Finding::warning("remote-unreachable"),
            Err(_) => Finding::warning("git-missing"),
        })]
    };
    Question { silent, ask: Box::new(ask) }
}
