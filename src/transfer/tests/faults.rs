//! One source: what it does wrong is made good or named.

use super::*;

#[test]
fn one_source_gives_all_once() {
    let bytes = content(40);
    let good = fake("good", &bytes, |_, _| Act::Well);
    let (outcome, _) = fetch(&bytes, &[&[&good]], options(), None);
    assert_eq!(given(&outcome, "good"), bytes.len() as u64 - 5);
    assert!(whys(&outcome).is_empty());
    assert_eq!(good.given.load(Ordering::SeqCst), bytes.len() as u64 - 5, "nothing twice");
}

#[test]
fn every_fault_of_one_source_is_made_good_by_itself_or_by_another() {
    let bytes = content(30);
    let busy = || Fault::Busy { status: 429, retry_after: Some(Duration::from_millis(5)) };
    let passing: [fn() -> Act; 6] = [
        || Act::Refuse(Fault::Server { status: 500 }),
        || Act::Refuse(Fault::Connection { reason: "reset".to_owned() }),
        || Act::Cut(1500, false),
        || Act::Cut(2500, true),
        || Act::Stall(500),
        || Act::Refuse(Fault::Server { status: 408 }),
    ];
    for act in passing {
        let flaky = fake("flaky", &bytes, move |number, _| if number < 2 { act() } else { Act::Well });
        let (outcome, _) = fetch(&bytes, &[&[&flaky]], options(), None);
        assert!(outcome.result.is_ok(), "{:?}: {:?}", act(), outcome.result);
        assert!(outcome.liars.is_empty());
    }
    let waits = fake("waits", &bytes, move |number, _| if number == 0 { Act::Refuse(busy()) } else { Act::Well });
    assert!(fetch(&bytes, &[&[&waits]], options(), None).0.result.is_ok());

    let lasting: [fn() -> Act; 8] = [
        || Act::Refuse(Fault::Missing),
        || Act::Refuse(Fault::Denied { status: 403 }),
        || Act::Refuse(Fault::Server { status: 500 }),
        || Act::Refuse(Fault::Status { status: 416 }),
        || Act::Lie,
        || Act::Longer,
        || Act::Elsewhere,
        || Act::Cut(0, true),
    ];
    for act in lasting {
        let bad = fake("bad", &bytes, move |_, _| act());
        let good = fake("good", &bytes, |_, _| Act::Well);
        let (outcome, _) = fetch(&bytes, &[&[&bad], &[&good]], options(), None);
        assert!(outcome.result.is_ok(), "{:?}: {:?}", act(), outcome.result);
        assert!(whys(&outcome).iter().any(|why| why.starts_with("bad: ")), "{:?}: {:?}", act(), whys(&outcome));
        let (outcome, _) = fetch(&bytes, &[&[&bad]], options(), None);
        assert!(matches!(outcome.result, Err(FetchError::AllFailed { .. })), "{:?}: {:?}", act(), outcome.result);
    }
}

#[test]
fn what_is_not_worth_asking_again_is_not_asked_again() {
    let bytes = content(10);
    let denied = fake("denied", &bytes, |_, _| Act::Refuse(Fault::Denied { status: 403 }));
    let one = Options { connections: 1, ..options() };
    assert!(fetch(&bytes, &[&[&denied]], one.clone(), None).0.result.is_err());
    assert_eq!(denied.requests.load(Ordering::SeqCst), 1);
    let failing = fake("failing", &bytes, |_, _| Act::Refuse(Fault::Server { status: 500 }));
    assert!(fetch(&bytes, &[&[&failing]], one, None).0.result.is_err());
    assert_eq!(failing.requests.load(Ordering::SeqCst), 5);
}

#[test]
fn wrong_bytes_are_asked_for_once_more_past_caches() {
    let bytes = content(10);
    let cached = fake("cached", &bytes, |_, fresh| if fresh { Act::Well } else { Act::Lie });
    let (outcome, _) = fetch(&bytes, &[&[&cached]], Options { connections: 1, ..options() }, None);
    assert_eq!(whys(&outcome).len(), 1, "{:?}", whys(&outcome));
    assert!(outcome.liars.is_empty());
    let liar = fake("liar", &bytes, |_, _| Act::Lie);
    let (outcome, _) = fetch(&bytes, &[&[&liar]], Options { connections: 1, ..options() }, None);
    assert_eq!(whys(&outcome).len(), 2, "{:?}", whys(&outcome));
    assert_eq!(outcome.liars.into_iter().collect::<Vec<_>>(), ["liar"]);
}

#[test]
fn a_source_that_knows_no_ranges_is_read_once_from_its_beginning() {
    let bytes = content(50);
    let whole = fake("whole", &bytes, |_, _| Act::Whole);
    let (outcome, _) = fetch(&bytes, &[&[&whole]], options(), None);
    assert_eq!(given(&outcome, "whole"), bytes.len() as u64 - 5);
    // Connections that were under way when it showed may have begun to read, too; none after them.
    assert!(whole.requests.load(Ordering::SeqCst) <= 3);
}

#[test]
fn a_source_that_only_trickles_is_given_up() {
    let bytes = content(3);
    let trickling = fake("trickling", &bytes, |_, _| Act::Trickle(Duration::from_millis(50)));
    let (outcome, _) = fetch(&bytes, &[&[&trickling]], Options { connections: 1, ..options() }, None);
    assert_eq!(trickling.requests.load(Ordering::SeqCst), 5);
    assert!(whys(&outcome).iter().all(|why| why.starts_with("trickling: Silent")), "{:?}", whys(&outcome));
}

#[test]
fn a_stream_that_only_trickles_is_given_up_too() {
    let bytes = content(3);
    let (dir, store) = store();
    let trickling = fake("trickling", &bytes, |_, _| Act::Trickle(Duration::from_millis(50)));
    let good = fake("good", &bytes, |_, _| Act::Well);
    let sources = [trickling.clone(), good].map(|fake| {
        let target: Arc<dyn Target> = fake.clone();
        Source { name: fake.name.clone(), target, key: "package".to_owned() }
    });
    let options = options();
    let asked = whole::Asked { store: &store, rejected: &dir.path().join("rejected"), options: &options };
    let wanted = crate::transfer::Wanted { sha256: Sha256::of(&bytes), size: bytes.len() as u64 };
    let (outcome, liars) = asked.fetch(&wanted, &sources, &|_| {});
    let fetched = outcome.expect("fetched");
    assert_eq!((fetched.given[0].name.as_str(), trickling.requests.load(Ordering::SeqCst)), ("good", 5));
    assert!(matches!(fetched.failed[0].why, Why::Silent { bytes: 1.., .. }), "{:?}", fetched.failed);
    assert!(liars.is_empty());
}
