//! What a policy grants: by examples, and by rules that hold for every policy.

use proptest::prelude::*;

use super::super::to_canonical_json;
use super::*;

const POLICY: &str = r#"{
  "rules": [
    {
      "role": "publisher",
      "components": [
        "model*"
      ],
      "principals": [
        "li",
        "mei"
      ]
    },
    {
      "role": "publisher",
      "components": [
        "config"
      ],
      "principals": [],
      "require": 0
    },
    {
      "role": "deployer",
      "environments": [
        "prod"
      ],
      "principals": [
        "ops",
        "wu"
      ]
    },
    {
      "role": "approver",
      "environments": [
        "prod"
      ],
      "principals": [
        "li",
        "ops",
        "wu"
      ],
      "require": 1
    }
  ],
  "owners": {
    "principals": [
      "li",
      "wu"
    ],
    "require": 2
  }
}
"#;

fn policy() -> Policy {
    Policy::parse(POLICY.as_bytes()).expect("a policy")
}

fn signers(names: &[&str]) -> Vec<Signer> {
    names.iter().map(|names| names.split('+').map(str::to_owned).collect()).collect()
}

fn publish(component: &str, names: &[&str]) -> Vec<Lack> {
    judge(&policy(), Act::Publish(&component.parse().expect("a type")), &signers(names)).lacks
}

fn deploy(names: &[&str]) -> Vec<(Role, usize)> {
    let (name, component) = ("prod".parse().expect("a name"), "model".parse().expect("a type"));
    let lacks = judge(&policy(), Act::Environment(&name, &[&component]), &signers(names)).lacks;
    lacks.into_iter().map(|lack| (lack.role, lack.need - lack.have)).collect()
}

#[test]
fn a_file_is_read_and_written_and_nothing_in_it_is_passed_over() {
    assert_eq!(String::from_utf8_lossy(&to_canonical_json(&policy())), POLICY);
    let bad = |from: &str, to: &str| Policy::parse(POLICY.replacen(from, to, 1).as_bytes()).expect_err("refused");
    for (from, to) in [
        ("\"role\": \"publisher\"", "\"role\": \"owner\""),
        ("\"role\": \"publisher\"", "\"role\": \"publisher\", \"unless\": [\"mei\"]"),
        ("\"rules\"", "\"deny\": [], \"rules\""),
        ("\"require\": 2", "\"require\": 3"),
        ("\"require\": 1", "\"require\": -1"),
    ] {
        assert!(matches!(bad(from, to), SchemaError::Json(_)), "{to}");
    }
    assert!(matches!(bad("{", "{\"schema\": 2,"), SchemaError::Newer { found: 2 }));
}

#[test]
fn what_no_rule_is_for_nobody_may_do() {
    assert_eq!(publish("model", &["mei"]), []);
    assert_eq!(publish("model-eu", &["nobody", "li"]), []);
    assert_eq!(publish("config", &[]), []);
    let lack = publish("model", &["wu"]).remove(0);
    assert_eq!((lack.role, lack.have, lack.need, lack.principals.len()), (Role::Publisher, 0, 1, 2));
    let lack = publish("runtime", &["mei", "li", "wu", "ops"]).remove(0);
    assert_eq!((lack.need, lack.principals.len()), (1, 0));
    let (test, none): (EnvironmentName, _) = ("test".parse().expect("a name"), []);
    assert!(!judge(&policy(), Act::Environment(&test, &none), &signers(&["ops", "li"])).is_granted());
    assert_eq!(judge(&Policy::default(), Act::Policy, &signers(&["li", "wu"])).lacks.len(), 1);
    assert_eq!(judge(&policy(), Act::Policy, &signers(&["li", "mei"])).lacks[0].have, 1);
    assert!(judge(&policy(), Act::Policy, &signers(&["li", "wu"])).is_granted());
}

#[test]
fn who_deploys_does_not_approve_as_well() {
    assert_eq!(deploy(&[]), [(Role::Deployer, 1), (Role::Approver, 1)]);
    assert_eq!(deploy(&["ops"]), [(Role::Approver, 1)]);
    assert_eq!(deploy(&["li"]), [(Role::Deployer, 1)]);
    assert_eq!(deploy(&["ops", "li"]), []);
    assert_eq!(deploy(&["ops", "wu"]), []);
    assert_eq!(deploy(&["ops+wu"]), [(Role::Approver, 1)], "one person of two names");
    // An environment without components needs the same.
    let (name, none) = ("prod".parse().expect("a name"), []);
    assert_eq!(judge(&policy(), Act::Environment(&name, &none), &signers(&["ops"])).lacks.len(), 1);
    assert!(judge(&policy(), Act::Environment(&name, &none), &signers(&["ops", "wu"])).is_granted());
}

#[test]
fn somebody_may_add_their_signature_where_any_rule_names_them() {
    let (name, component) = ("prod".parse().expect("a name"), "model".parse().expect("a type"));
    let is = |act, who: &str| names(&policy(), act, &signers(&[who])[0]);
    assert!(is(Act::Publish(&component), "mei") && !is(Act::Publish(&component), "wu"));
    let components = [&component];
    let prod = Act::Environment(&name, &components);
    assert!(is(prod, "li") && !is(prod, "mei"));
    assert!(is(Act::Policy, "wu") && !is(Act::Policy, "ops"));
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let role = prop_oneof![Just(Role::Publisher), Just(Role::Deployer), Just(Role::Approver)];
    let patterns = proptest::option::of(proptest::collection::vec("[ab*]", 0..3));
    let principals = proptest::collection::btree_set("[p-t]", 0..5);
    let who = (principals, any::<prop::sample::Index>()).prop_map(|(principals, index)| {
        let require = index.index(principals.len() + 1);
        (principals, Some(require))
    });
    let rule = (role, patterns.clone(), patterns, who.clone()).prop_map(
        |(role, components, environments, (principals, require))| Rule {
            role,
            components,
            environments,
            principals,
            require,
        },
    );
    let owners = proptest::option::of(who.prop_map(|(principals, require)| Owners { principals, require }));
    (proptest::collection::vec(rule, 0..5), owners).prop_map(|(rules, owners)| Policy { rules, owners, schema: None })
}

fn any_signers() -> impl Strategy<Value = Vec<Signer>> {
    proptest::collection::vec(proptest::collection::btree_set("[p-v]", 1..3), 0..5)
}

/// Whether each act is granted.
fn verdicts(policy: &Policy, signers: &[Signer]) -> Vec<bool> {
    let (a, b): (ComponentType, ComponentType) = ("a".parse().expect("a"), "b".parse().expect("b"));
    let name: EnvironmentName = "a".parse().expect("a");
    let both = [&a, &b];
    let acts =
        [Act::Publish(&a), Act::Publish(&b), Act::Environment(&name, &both), Act::Environment(&name, &[]), Act::Policy];
    acts.iter().map(|act| judge(policy, *act, signers).is_granted()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn one_signer_more_takes_nothing_back(policy in any_policy(), signers in any_signers(), more in any_signers()) {
        let few = verdicts(&policy, &signers);
        let many = verdicts(&policy, &[signers, more].concat());
        prop_assert!(few.iter().zip(&many).all(|(few, many)| !few || *many), "{few:?} {many:?}");
    }

    #[test]
    fn who_is_not_named_changes_nothing(policy in any_policy(), signers in any_signers()) {
        let stranger: Signer = ["stranger".to_owned()].into();
        let with = [&signers[..], &[stranger]].concat();
        prop_assert_eq!(verdicts(&policy, &signers), verdicts(&policy, &with));
    }

    #[test]
    fn the_order_of_rules_and_signers_means_nothing(policy in any_policy(), signers in any_signers()) {
        let turned = Policy { rules: policy.rules.iter().rev().cloned().collect(), ..policy.clone() };
        let turned_signers: Vec<_> = signers.iter().rev().cloned().collect();
        prop_assert_eq!(verdicts(&policy, &signers), verdicts(&turned, &turned_signers));
    }

    /// As counted by trying who could be counted for what.
    #[test]
    fn a_grant_for_an_environment_has_enough_people(policy in any_policy(), signers in any_signers()) {
        let (a, name): (ComponentType, EnvironmentName) = ("a".parse().expect("a"), "a".parse().expect("a"));
        let granted = judge(&policy, Act::Environment(&name, &[&a]), &signers).is_granted();
        let is_for = |rule: &&Rule| {
            let all = |patterns: &Option<Vec<String>>| {
                patterns.as_ref().is_none_or(|all| all.iter().any(|pattern| pattern == "*" || pattern == "a"))
            };
            all(&rule.components) && all(&rule.environments)
        };
        let of = |role| policy.rules.iter().filter(is_for).filter(move |rule| rule.role == role);
        // Each way to say who is counted as a deployer; the others are counted as approvers.
        let enough = |rule: &Rule, chosen: &dyn Fn(usize) -> bool| {
            let count = signers.iter().enumerate().filter(|(n, names)| chosen(*n) && !names.is_disjoint(&rule.principals));
            count.count() >= rule.require.unwrap_or(1)
        };
        let possible = of(Role::Deployer).any(|deployer| {
            of(Role::Approver).all(|approver| {
                (0..1u32 << signers.len()).any(|set| {
                    enough(deployer, &|n| set >> n & 1 == 1) && enough(approver, &|n| set >> n & 1 == 0)
                })
            }) && enough(deployer, &|_| true)
        });
        prop_assert_eq!(granted, possible);
    }

    #[test]
    fn what_is_written_is_read_again(policy in any_policy()) {
        let written = to_canonical_json(&policy);
        prop_assert_eq!(Policy::parse(&written).expect("what was written"), policy);
    }

    #[test]
    fn no_bytes_make_it_panic(text in "[\\[\\]{}\":,a-z0-9]{0,60}", at in any::<prop::sample::Index>()) {
        let _ = Policy::parse(text.as_bytes());
        let at = at.index(POLICY.len());
        let _ = Policy::parse(&[&POLICY.as_bytes()[..at], text.as_bytes(), &POLICY.as_bytes()[at..]].concat());
    }
}
