//! An environment: the reviewed file that says which version of each component belongs on, say, `prod`
//! (`environments/prod.json`).
//!
//! ```text
//! {
//!   "serial": 7,                                            one more with each change
//!   "components": {"model": {"version", "sha256"}, …},      the sha256 of the package, as the version's record has it
//!   "schema": 1                                             optional; absent means 1
//! }
//! ```
//!
//! Unknown fields are kept at every level. The digest stands here too, so that one reviewed file says which bytes run, and
//! a record that was changed behind it is noticed.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::manifest::parse;
use super::{ComponentType, SchemaError, Sha256, Version};

/// Which version of each component belongs somewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Environment {
    /// Counts the changes of this file.
    pub serial: u64,
    /// The version of each component. One that is not named is left as it is where the environment is deployed.
    #[serde(deserialize_with = "each_once")]
    pub components: BTreeMap<ComponentType, Pin>,
    /// The major number of the format; absent means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<u32>,
    /// Fields this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One version, and the bytes it has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Pin {
    /// The version.
    pub version: Version,
    /// The sha256 of its package.
    pub sha256: Sha256,
    /// Fields this build does not know, kept as they are.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Environment {
    /// Reads an environment.
    ///
    /// # Errors
    ///
    /// A newer major schema, or JSON of another form.
    pub fn parse(bytes: &[u8]) -> Result<Self, SchemaError> {
        parse(bytes)
    }

    /// Makes a component this version; says whether it was not before. Fields of the pin that this build does not know
    /// belong to the version they stand beside, so they go with it.
    pub fn set(&mut self, component: &ComponentType, version: &Version, sha256: Sha256) -> bool {
        let same = |pin: &Pin| (&pin.version, pin.sha256) == (version, sha256);
        if self.components.get(component).is_some_and(same) {
            return false;
        }
        let pin = Pin { version: version.clone(), sha256, extra: Map::new() };
        self.components.insert(component.clone(), pin);
        true
    }
}

/// Reads the components, each of which may stand there once: of two the last would win, and a reader may see the first.
fn each_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<ComponentType, Pin>, D::Error> {
    struct Components;

    impl<'de> Visitor<'de> for Components {
        type Value = BTreeMap<ComponentType, Pin>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object with a version for each component")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut components = BTreeMap::new();
            while let Some((component, pin)) = map.next_entry::<ComponentType, Pin>()? {
                if components.contains_key(&component) {
                    return Err(A::Error::custom(format!("`{component}` stands there twice")));
                }
                components.insert(component, pin);
            }
            Ok(components)
        }
    }

    deserializer.deserialize_map(Components)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::to_canonical_json;
    use super::*;

    const PROD: &str = r#"{
  "serial": 7,
  "components": {
    "config": {
      "version": "2",
      "sha256": "00ff0a383c592038bdf9c13d8c848ee16c2c75820c9e644ba864e8449932fff0"
    },
    "model": {
      "version": "1.0.1",
      "sha256": "bf03258b562228b1206b971fbd92ea5ee2b646e4e3193b20f3f22b59f08d1fe2",
      "reviewed": "Li"
    }
  },
  "freeze": {
    "until": "2027-01-02"
  }
}
"#;

    #[test]
    fn a_file_is_read_and_written_byte_for_byte_with_what_is_not_known() {
        let prod = Environment::parse(PROD.as_bytes()).expect("an environment");
        assert_eq!((prod.serial, prod.components.len()), (7, 2));
        assert_eq!(String::from_utf8_lossy(&to_canonical_json(&prod)), PROD);
        let newer = PROD.replacen('{', "{\"schema\": 2,", 1);
        assert!(matches!(Environment::parse(newer.as_bytes()), Err(SchemaError::Newer { found: 2 })));
        for bad in ["\"serial\": -1", "\"serial\": 1.5", "\"version\": \"../x\"", "\"sha256\": \"00FF\""] {
            let key = bad.split(':').next().expect("a key");
            let line = PROD.lines().find(|line| line.contains(key)).expect("a line");
            let text = PROD.replacen(line.trim().trim_end_matches(','), bad, 1);
            assert!(matches!(Environment::parse(text.as_bytes()), Err(SchemaError::Json(_))), "{text}");
        }
        let twice = Environment::parse(PROD.replacen("\"config\"", "\"model\"", 1).as_bytes());
        assert!(twice.expect_err("two versions").to_string().contains("`model` stands there twice"));
    }

    #[test]
    fn setting_what_is_set_changes_nothing() {
        let mut prod = Environment::parse(PROD.as_bytes()).expect("an environment");
        let model = "model".parse().expect("a type");
        let pin = prod.components[&model].clone();
        assert!(!prod.set(&model, &pin.version, pin.sha256));
        assert_eq!(prod.components[&model].extra["reviewed"], "Li");
        assert!(prod.set(&model, &"1.0.2".parse().expect("a version"), pin.sha256));
        assert!(
            prod.components[&model].extra.is_empty(),
            "what was said of another version does not hold for this one"
        );
    }

    fn any_extra() -> impl Strategy<Value = Map<String, Value>> {
        let value = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            Just(serde_json::json!({"a": [1, null]})),
        ];
        proptest::collection::btree_map("x-[a-z]{1,4}", value, 0..3).prop_map(|fields| fields.into_iter().collect())
    }

    fn any_pin() -> impl Strategy<Value = Pin> {
        ("[0-9]{1,3}(\\.[0-9]{1,3}){0,2}(-rc\\.[0-9])?", any::<[u8; 32]>(), any_extra()).prop_map(
            |(version, sha256, extra)| Pin {
                version: version.parse().expect("a version"),
                sha256: Sha256::from_bytes(sha256),
                extra,
            },
        )
    }

    fn any_environment() -> impl Strategy<Value = Environment> {
        let components = proptest::collection::btree_map("[a-z0-9_][a-z0-9._-]{0,8}", any_pin(), 0..5);
        (any::<u64>(), components, proptest::option::of(0..=1u32), any_extra()).prop_map(
            |(serial, components, schema, extra)| Environment {
                serial,
                components: components.into_iter().map(|(c, pin)| (c.parse().expect("a type"), pin)).collect(),
                schema,
                extra,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(environment in any_environment()) {
            let written = to_canonical_json(&environment);
            let read = Environment::parse(&written).expect("what was written");
            prop_assert_eq!(&read, &environment);
            prop_assert_eq!(to_canonical_json(&read), written);
        }

        /// Whatever the order of components and the white space by hand, there is one spelling.
        #[test]
        fn one_meaning_has_one_spelling(environment in any_environment()) {
            let value = serde_json::to_value(&environment).expect("JSON");
            let mut shuffled = value.clone();
            let components: Vec<_> =
                value["components"].as_object().expect("an object").clone().into_iter().rev().collect();
            shuffled["components"] = Value::Object(components.into_iter().collect());
            let read = Environment::parse(shuffled.to_string().as_bytes()).expect("the same meaning");
            prop_assert_eq!(to_canonical_json(&read), to_canonical_json(&environment));
        }

        #[test]
        fn no_bytes_make_it_panic(text in "[\\[\\]{}\":,a-z0-9.\\\\-]{0,60}", at in any::<prop::sample::Index>()) {
            let _ = Environment::parse(text.as_bytes());
            let at = at.index(PROD.len());
            let spoiled = [&PROD.as_bytes()[..at], text.as_bytes(), &PROD.as_bytes()[at..]].concat();
            if let Ok(read) = Environment::parse(&spoiled) {
                let written = to_canonical_json(&read);
                prop_assert_eq!(Environment::parse(&written).expect("what was written"), read);
            }
        }
    }
}
