//! What this machine has of a package already, what it can hold, and who takes the pieces.

use super::*;

#[test]
fn what_is_on_the_disk_is_checked_and_not_fetched_again() {
    let bytes = content(300);
    let (_dir, store) = store();
    let sha256 = Sha256::of(&bytes);
    let layout = layout(&bytes);
    {
        let partial = store.partial(&sha256, bytes.len() as u64).expect("made");
        for (number, part) in layout.parts.iter().enumerate() {
            let piece = &bytes[part.offset as usize..part.end() as usize];
            match number {
                7 | 100 | 299 => {}
                9 => partial.write(part.offset, &vec![1; piece.len()]).expect("rotten"),
                _ => partial.write(part.offset, piece).expect("written"),
            }
        }
    }
    let good = fake("good", &bytes, |_, _| Act::Well);
    let (outcome, _) = fetch(&bytes, &[&[&good]], options(), Some(&store));
    let missing: u64 = [7, 9, 100, 299].iter().map(|number: &usize| layout.parts[*number].length).sum();
    assert_eq!(good.given.load(Ordering::SeqCst), missing);
    assert_eq!(outcome.result.as_ref().expect("fetched").reused, bytes.len() as u64 - 5 - missing);
}

#[test]
fn two_runs_into_one_file_at_once_both_end_well() {
    let bytes = content(200);
    let (_dir, store) = store();
    std::thread::scope(|scope| {
        for name in ["one", "two"] {
            let (bytes, store) = (&bytes, &store);
            scope.spawn(move || {
                let source =
                    fake(name, bytes, |number, _| if number % 5 == 3 { Act::Cut(700, false) } else { Act::Well });
                let (outcome, _) = fetch(bytes, &[&[&source]], options(), Some(store));
                outcome.result.expect("fetched");
                store.complete(outcome.shared.partial.as_ref().expect("there"), &Sha256::of(bytes)).expect("kept");
            });
        }
    });
    assert_eq!(store.digest(&Sha256::of(&bytes)).expect("read"), Some(Sha256::of(&bytes)));
}

#[test]
fn a_consumer_that_takes_no_more_ends_the_run() {
    let bytes = content(100);
    let good = fake("good", &bytes, |_, _| Act::Well);
    let target: Arc<dyn Target> = good;
    let run = Run {
        sha256: Sha256::of(&bytes),
        layout: layout(&bytes),
        machine: Machine::default(),
        tiers: vec![vec![(Source { name: "good".to_owned(), target, key: String::new() }, None)]],
        options: options(),
        keep: Box::new(|_| None),
    };
    let mut taken = 0;
    let mut sink = |_: Form, _: &mut Buffer| {
        taken += 1;
        if taken < 5 { Ok(()) } else { Err(Stopped) }
    };
    let outcome = engine::run(run, &mut sink, &|_| {});
    assert!(matches!(outcome.result, Err(FetchError::Stopped)));
}

#[test]
fn pieces_that_make_another_package_are_refused() {
    let bytes = content(10);
    let good = fake("good", &bytes, |_, _| Act::Well);
    let target: Arc<dyn Target> = good;
    let run = Run {
        sha256: Sha256::of(b"another"),
        layout: layout(&bytes),
        machine: Machine::default(),
        tiers: vec![vec![(Source { name: "good".to_owned(), target, key: String::new() }, None)]],
        options: options(),
        keep: Box::new(|_| None),
    };
    let outcome = engine::run(run, &mut |_, _| Ok(()), &|_| {});
    assert!(matches!(outcome.result, Err(FetchError::Disagree { .. })), "{:?}", outcome.result);
}

#[test]
fn a_bound_on_the_bandwidth_makes_no_connection_seem_silent() {
    let bytes = content(20);
    let good = fake("good", &bytes, |_, _| Act::Well);
    let (outcome, _) = fetch(&bytes, &[&[&good]], Options { bandwidth: Some(ByteSize(40_000)), ..options() }, None);
    assert_eq!(given(&outcome, "good"), bytes.len() as u64 - 5);
    assert!(whys(&outcome).is_empty());
}

#[test]
fn what_is_in_memory_keeps_to_its_bound() {
    let bytes = content(400);
    let good = fake("good", &bytes, |_, _| Act::Well);
    let (outcome, _) = fetch(&bytes, &[&[&good]], Options { connections: 8, ..options() }, None);
    assert!(outcome.result.is_ok());
    // Without a partial file nothing is asked for that lies farther ahead than the memory reaches: the requests overlap so.
    let mut most = 0;
    for range in good.at_once.lock().expect("free").iter() {
        most = most.max(range.end - range.start);
    }
    assert!(most <= options().memory.0, "{most}");
}

/// Pieces that lie on this machine; the damaged ones do not any more.
struct Here {
    pieces: Vec<Vec<u8>>,
    damaged: Vec<bool>,
}

impl Material for Here {
    fn piece(&self, number: usize, into: &mut Buffer) -> bool {
        into.clear();
        into.push(&self.pieces[number]);
        !self.damaged[number]
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn some_pieces_come_in_order_whatever_is_here_and_what_is_damaged_is_fetched(
        pieces in prop::collection::vec((0u8..3, any::<bool>(), any::<bool>()), 1..40),
        keeps in any::<bool>(),
        whole in any::<bool>(),
    ) {
        let bytes = content(pieces.len());
        let mut layout = layout(&bytes);
        let origin = |number: usize| match pieces.get(number).map_or(0, |piece| piece.0) {
            0 => Origin::Source,
            1 => Origin::Here,
            _ => Origin::Nowhere,
        };
        layout.parts.iter_mut().enumerate().for_each(|(number, part)| part.origin = origin(number));
        let raw: Vec<Vec<u8>> =
            layout.parts.iter().map(|part| bytes[part.offset as usize..part.end() as usize].to_vec()).collect();
        let damaged: Vec<bool> = pieces.iter().map(|piece| piece.1).collect();
        let sha256 = Sha256::of(&bytes);
        let (_dir, store) = store();
        let partial = || store.partial_unreserved(&sha256, bytes.len() as u64).expect("made");
        // An earlier run left some.
        let left = |number: usize| keeps && pieces[number].2;
        for (number, part) in layout.parts.iter().enumerate().filter(|(number, _)| left(*number)) {
            partial().write(part.offset, &raw[number]).expect("written");
        }
        let source = fake("one", &bytes, move |_, _| if whole { Act::Whole } else { Act::Well });
        let target: Arc<dyn Target> = source.clone();
        let expected: Vec<usize> = (0..raw.len()).filter(|number| origin(*number) != Origin::Nowhere).collect();
        let must_come = |number: usize| match origin(number) {
            Origin::Source => !left(number),
            Origin::Here => damaged[number] && !left(number),
            Origin::Nowhere => false,
        };
        let must: u64 = (0..raw.len()).filter(|number| must_come(*number)).map(|number| raw[number].len() as u64).sum();
        let run = Run {
            sha256,
            layout,
            machine: Machine {
                partial: keeps.then(partial),
                material: Some(Arc::new(Here { pieces: raw.clone(), damaged: damaged.clone() })),
            },
            tiers: vec![vec![(Source { name: "one".to_owned(), target, key: String::new() }, None)]],
            options: options(),
            keep: Box::new(|_| None),
        };
        let mut came = Vec::new();
        let mut sink = |form: Form, piece: &mut Buffer| {
            came.push((form, piece.filled().to_vec()));
            Ok(())
        };
        let outcome = engine::run(run, &mut sink, &|_| {});
        prop_assert!(outcome.result.is_ok(), "{:?}", outcome.result);
        prop_assert_eq!(came.len(), expected.len());
        for ((form, found), number) in came.iter().zip(expected) {
            prop_assert!(*found == raw[number], "piece {}", number);
            prop_assert!(*form == Form::Packed || origin(number) == Origin::Here && !damaged[number]);
        }
        prop_assert_eq!(given(&outcome, "one"), must);
        if !whole {
            prop_assert_eq!(source.given.load(Ordering::SeqCst), must, "nothing else is asked for");
        }
    }
}
