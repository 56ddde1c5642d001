//! Secrets that stand in the file itself: found by how they look and by the key they stand under.

use super::node::{Node, Value};
use super::reader::join;

/// Last parts of keys that name a secret.
const KEYS: [&str; 12] = [
    "access_key",
    "access_key_id",
    "api_key",
    "auth_token",
    "password",
    "passwd",
    "private_key",
    "secret",
    "secret_access_key",
    "secret_key",
    "session_token",
    "token",
];

/// Beginnings of well-known tokens, and how many characters of a token's alphabet follow at least.
const PREFIXES: [(&str, usize); 9] = [
    ("AKIA", 16),
    ("ASIA", 16),
    ("ghp_", 30),
    ("gho_", 30),
    ("ghs_", 30),
    ("github_pat_", 30),
    ("glpat-", 20),
    ("hf_", 30),
    ("xoxb-", 20),
];

/// Calls `found` with the path of keys and the node of each scalar that looks like a secret.
pub(super) fn find(node: &Node, key: &str, found: &mut dyn FnMut(&str, &Node)) {
    match &node.value {
        Value::Null(_) => {}
        Value::Text(text) => {
            let name = key.rsplit('.').next().unwrap_or(key).to_ascii_lowercase().replace('-', "_");
            let named = KEYS.contains(&name.as_str()) && !text.contains("${") && !text.is_empty();
            if named || looks_secret(text) {
                found(key, node);
            }
        }
        Value::List(items) => items.iter().for_each(|item| find(item, key, found)),
        Value::Map(entries) => {
            for (name, value) in entries {
                find(value, &join(key, &name.name), found);
            }
        }
    }
}

fn looks_secret(text: &str) -> bool {
    let private_key = text.contains("-----BEGIN ") && text.contains("PRIVATE KEY-----");
    private_key || has_token(text) || has_password(text)
}

fn has_token(text: &str) -> bool {
    PREFIXES.iter().any(|(prefix, length)| {
        text.match_indices(prefix).any(|(at, _)| {
            let free = text[..at].chars().next_back().is_none_or(|c| !c.is_ascii_alphanumeric());
            let rest = text[at + prefix.len()..].chars();
            free && rest.take_while(|c| c.is_ascii_alphanumeric() || *c == '_').count() >= *length
        })
    })
}

/// `scheme://user:password@host`, the password not from a variable.
fn has_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let authority = rest.split('/').next().unwrap_or(rest);
    let user = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':'));
    user.is_some_and(|(_, password)| !password.is_empty() && !password.starts_with("${"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        let mut keys = Vec::new();
        let node = super::super::node::parse(text).expect("YAML");
        find(&node, "", &mut |key, _| keys.push(key.to_owned()));
        keys
    }

    #[test]
    fn values_and_keys_give_secrets_away() {
        assert_eq!(keys("a: {b: [x, AKIAIOSFODNN7EXAMPLE]}"), ["a.b"]);
        assert_eq!(keys("a: ${KEY:-AKIAIOSFODNN7EXAMPLE}"), ["a"]);
        assert_eq!(keys("a: https://me:hunter2@example.org/x"), ["a"]);
        assert_eq!(keys("a: |\n  -----BEGIN OPENSSH PRIVATE KEY-----\n  x\n"), ["a"]);
        assert_eq!(keys("t: {secret_access_key: x, Api-Key: y}"), ["t.secret_access_key", "t.Api-Key"]);
    }

    #[test]
    fn what_comes_from_a_variable_or_only_resembles_one_does_not() {
        assert!(keys("t: {secret_key: '${SECRET}', token: }").is_empty());
        assert!(keys("a: https://me:${PASSWORD}@example.org/x").is_empty());
        assert!(keys("a: [AKIA, xAKIAIOSFODNN7EXAMPLE, /data/hf_models, https://example.org:80/@x]").is_empty());
    }
}
