//! Whatever sources do, in any order.

use super::*;

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Well),
        1 => Just(Act::Refuse(Fault::Server { status: 503 })),
        1 => Just(Act::Refuse(Fault::Denied { status: 403 })),
        1 => (0u64..3000, any::<bool>()).prop_map(|(after, cleanly)| Act::Cut(after, cleanly)),
        1 => Just(Act::Lie),
        1 => (0u64..3000).prop_map(Act::Stall),
        1 => Just(Act::Whole),
        1 => Just(Act::Longer),
        1 => Just(Act::Elsewhere),
        1 => Just(Act::Slow(Duration::from_micros(50))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Whatever sources do, what comes out is the package or an error; with one good source, the package.
    #[test]
    fn only_the_package_or_an_error(
        pieces in 1usize..40,
        scripts in prop::collection::vec((prop::collection::vec(acts(), 1..5), 0usize..2), 1..4),
        with_good: bool,
        with_store: bool,
    ) {
        let bytes = content(pieces);
        let (_dir, store) = store();
        let mut tiers: [Vec<Arc<Fake>>; 2] = Default::default();
        for (number, (script, tier)) in scripts.into_iter().enumerate() {
            let act = move |number: usize, _: bool| script[number % script.len()].clone();
            tiers[tier].push(fake(&number.to_string(), &bytes, act));
        }
        if with_good {
            tiers[1].push(fake("good", &bytes, |_, _| Act::Well));
        }
        let tiers: Vec<Vec<&Arc<Fake>>> = tiers.iter().map(|tier| tier.iter().collect()).collect();
        let tiers: Vec<&[&Arc<Fake>]> = tiers.iter().map(Vec::as_slice).collect();
        let (outcome, _) = fetch(&bytes, &tiers, options(), with_store.then_some(&store));
        match outcome.result {
            Ok(_) => {}
            Err(FetchError::AllFailed { attempts, .. }) => {
                prop_assert!(!with_good, "{attempts:?}");
                prop_assert!(!attempts.iter().any(|attempt| matches!(attempt.why, Why::LeftOut)));
            }
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }
}
