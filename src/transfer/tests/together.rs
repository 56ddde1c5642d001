//! Several sources: who gets how much of the work, and who is asked at all.

use super::*;

#[test]
fn two_sources_share_the_work_and_a_far_slower_one_does_not_hold_it_up() {
    let bytes = content(60);
    let pace = Duration::from_millis(1);
    let (a, b) = (fake("a", &bytes, move |_, _| Act::Slow(pace)), fake("b", &bytes, move |_, _| Act::Slow(pace)));
    let (outcome, _) = fetch(&bytes, &[&[&a, &b]], options(), None);
    assert!(given(&outcome, "a") > 0 && given(&outcome, "b") > 0);
    let fast = fake("fast", &bytes, |_, _| Act::Well);
    let silent = fake("silent", &bytes, |_, _| Act::Stall(10));
    let begun = Instant::now();
    let options = Options { stall: Duration::from_secs(60), ..options() };
    let (outcome, _) = fetch(&bytes, &[&[&silent, &fast]], options, None);
    assert_eq!(given(&outcome, "fast"), bytes.len() as u64 - 5);
    assert!(begun.elapsed() < Duration::from_secs(30), "the stall timeout was not waited for");
}

#[test]
fn a_source_that_trickles_never_holds_up_another_that_has_not_been_measured() {
    let bytes = content(3);
    let trickling = fake("trickling", &bytes, |_, _| Act::Trickle(Duration::from_millis(100)));
    let good = fake("good", &bytes, |_, _| Act::Well);
    let begun = Instant::now();
    let options = Options { stall: Duration::from_secs(60), ..options() };
    let (outcome, _) = fetch(&bytes, &[&[&trickling, &good]], options, None);
    assert_eq!(given(&outcome, "good"), bytes.len() as u64 - 5);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[test]
fn nobody_leaves_work_to_a_source_that_is_too_slow_for_any() {
    let bytes = content(60);
    let slow = fake("slow", &bytes, |_, _| Act::Slow(Duration::from_millis(60)));
    let fast = fake("fast", &bytes, |_, _| Act::Slow(Duration::from_millis(1)));
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (outcome, _) = fetch(&bytes, &[&[&slow, &fast]], options(), None);
        let _ = sender.send(given(&outcome, "fast"));
    });
    let given = ended.recv_timeout(Duration::from_secs(30)).expect("it ends");
    assert!(given > 50 * PIECE as u64, "{given}");
}

#[test]
fn a_source_that_gave_nothing_while_others_did_is_told_of() {
    let bytes = content(3);
    let silent = fake("silent", &bytes, |_, _| Act::Stall(0));
    let good = fake("good", &bytes, |_, _| Act::Well);
    let options = Options { stall: Duration::from_secs(60), ..options() };
    let (outcome, _) = fetch(&bytes, &[&[&silent, &good]], options, None);
    assert_eq!(whys(&outcome).len(), 1, "{:?}", whys(&outcome));
    assert!(whys(&outcome)[0].starts_with("silent: Silent"), "{:?}", whys(&outcome));
}

#[test]
fn the_next_tier_is_asked_only_where_the_first_gives_nothing() {
    let bytes = content(20);
    let (first, second) = (fake("first", &bytes, |_, _| Act::Well), fake("second", &bytes, |_, _| Act::Well));
    let (outcome, _) = fetch(&bytes, &[&[&first], &[&second]], options(), None);
    assert!(outcome.result.is_ok());
    assert_eq!(second.requests.load(Ordering::SeqCst), 0);
    let down = fake("down", &bytes, |_, _| Act::Refuse(Fault::Connection { reason: "refused".to_owned() }));
    let (outcome, _) = fetch(&bytes, &[&[&down], &[&second]], options(), None);
    assert_eq!(given(&outcome, "second"), bytes.len() as u64 - 5);
}
