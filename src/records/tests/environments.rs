//! Environments: read as of any commit, and set only from what the branch still has.

use super::super::environment_change;
use super::*;
use crate::model::{Environment, EnvironmentName};

fn name(text: &str) -> EnvironmentName {
    text.parse().expect("a name")
}

/// Makes `prod` name this version of `model`, from what `prod` was at `at`.
fn set(sandbox: &Sandbox, at: Option<&str>, to: &str) -> Result<Committed, Error> {
    let repository = sandbox.open();
    let before = repository.snapshot(at)?.environment(&name("prod"))?;
    let mut now = before.as_ref().map(|file| file.environment.clone()).unwrap_or_default();
    now.serial += 1;
    now.set(&kind("model"), &version(to), Sha256::of(to.as_bytes()));
    let change = environment_change(&name("prod"), before.as_ref(), &now, ("env: prod", "why"));
    repository.commit(&change, &author())
}

fn read(sandbox: &Sandbox, at: Option<&str>) -> Option<Environment> {
    let repository = sandbox.open();
    let file = repository.snapshot(at).expect("a snapshot").environment(&name("prod")).expect("an environment");
    file.map(|file| file.environment)
}

#[test]
fn an_environment_is_read_as_of_any_commit() {
    for sandbox in [Sandbox::unborn(), Sandbox::new(), Sandbox::bare()] {
        assert_eq!(sandbox.open().tip().expect("readable").is_some(), read_tip(&sandbox));
        assert_eq!(sandbox.open().snapshot(None).expect("a snapshot").environments().expect("none"), []);
        let first = set(&sandbox, None, "1.0.0").expect("a commit");
        let second = set(&sandbox, None, "1.0.1").expect("a commit");
        assert_eq!(sandbox.open().tip().expect("readable").as_deref(), Some(second.commit.as_str()));
        let serial = |at: &str| read(&sandbox, Some(at)).map(|environment| environment.serial);
        assert_eq!((serial(&first.commit), serial(&second.commit)), (Some(1), Some(2)));
        assert_eq!(read(&sandbox, None).expect("there").components[&kind("model")].version, version("1.0.1"));
        let repository = sandbox.open();
        let snapshot = repository.snapshot(None).expect("a snapshot");
        assert_eq!(snapshot.environments().expect("listed"), [name("prod")]);
        assert_eq!(snapshot.environment(&name("staging")).expect("readable"), None);
    }
}

fn read_tip(sandbox: &Sandbox) -> bool {
    sandbox.try_git(&sandbox.repo, &["rev-parse", "--verify", "-q", "HEAD"]).status.success()
}

#[test]
fn what_was_made_from_something_older_is_refused() {
    let sandbox = Sandbox::new();
    let first = set(&sandbox, None, "1.0.0").expect("a commit");
    set(&sandbox, None, "1.0.1").expect("a commit");
    let late = set(&sandbox, Some(&first.commit), "1.0.2");
    assert!(matches!(&late, Err(Error::Changed { file }) if file.path.ends_with("environments/prod.json")), "{late:?}");
    assert_eq!(read(&sandbox, None).expect("there").components[&kind("model")].version, version("1.0.1"));
    sandbox.assert_clean();
}

#[test]
fn only_files_of_the_right_kind_and_name_are_environments() {
    let sandbox = Sandbox::new();
    for path in ["README.md", ".json", "a b.json", "prod.json.sigs/x.sig"] {
        sandbox.write(&format!("records/environments/{path}"), "x\n");
    }
    sandbox.git(&["add", "-A"]);
    sandbox.git(&["commit", "-q", "-m", "others"]);
    let repository = sandbox.open();
    assert_eq!(repository.snapshot(None).expect("a snapshot").environments().expect("none"), []);
    sandbox.git(&["rm", "-rq", "records"]);
    sandbox.write("records/environments", "a file\n");
    sandbox.git(&["add", "-A"]);
    sandbox.git(&["commit", "-q", "-m", "a file"]);
    let repository = sandbox.open();
    let snapshot = repository.snapshot(None).expect("a snapshot");
    assert!(matches!(snapshot.environment(&name("prod")), Err(Error::WrongKind { .. })));
}
