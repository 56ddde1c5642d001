//! What looks like a password, a key or a token: by the patterns that services give theirs, and by how random it is.
//!
//! Only lines are looked at that the request brings. A finding says which kind, and never repeats what it found.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex_lite::Regex;

use super::finding::Finding;

/// Kinds of secrets, each with its pattern. Sources: the services' own descriptions of their tokens, as secret scanners
/// collect them (gitleaks, GitHub's list of supported patterns).
const PATTERNS: [(&str, &str); 16] = [
    ("private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    ("AWS access key", r"\b(?:AKIA|ASIA|AGPA|AROA|AIDA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ("Baidu Cloud access key", r"\bALTAK[A-Za-z0-9-]{16,}"),
    ("GitHub token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    ("GitLab token", r"\bgl(?:pat|ptt|dt|rt|cbt|ft|soat|oas|agent)-[A-Za-z0-9_-]{20,}"),
    ("Hugging Face token", r"\bhf_[A-Za-z0-9]{30,}"),
    ("Slack token", r"\bxox[abposr]-[A-Za-z0-9-]{10,}"),
    ("Google API key", r"\bAIza[0-9A-Za-z_-]{35}"),
    ("package registry token", r"\b(?:npm_[A-Za-z0-9]{36}|pypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,})"),
    ("API key", r"\bsk-(?:proj-|ant-|live-)?[A-Za-z0-9_-]{32,}"),
    ("storage account key", r"(?i)\bAccountKey=[A-Za-z0-9+/=]{40,}"),
    ("JSON web token", r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    ("bearer token", r"(?i)\bbearer\s+[A-Za-z0-9._~+/-]{16,}"),
    ("password in a URL", r#"\b[A-Za-z][A-Za-z0-9+.-]*://[^/\s"@:]*:[^/\s"@]+@"#),
    (
        "signed URL",
        r#"(?i)[?&](?:X-Amz-(?:Signature|Credential|Security-Token)|X-Goog-Signature|AWSAccessKeyId|Signature|sig|authorization|x-bce-security-token|token|access_token)=[^&"\s]{8,}"#,
    ),
    (
        "value of a secret's name",
        r#"(?i)"[^"]*(?:passw(?:or)?d|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|credentials?)"\s*:\s*"[A-Za-z0-9+/=_.!$-]{6,}""#,
    ),
];

static COMPILED: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    let compiled = PATTERNS.iter().filter_map(|(kind, pattern)| Some((*kind, Regex::new(pattern).ok()?)));
    compiled.collect()
});

/// Ends of the names of members whose values are random and no secret.
const RANDOM: [&str; 13] = [
    "sha256",
    "sha1",
    "md5",
    "value",
    "tree",
    "commit",
    "digest",
    "hash",
    "checksum",
    "etag",
    "fingerprint",
    "id",
    "revision",
];

/// The shortest random text that is told of; what people choose is rarely so long and so random.
const LEAST: usize = 20;
/// The same for hexadecimal digits: 128 bits.
const LEAST_HEX: usize = 32;
/// Bits a character, by Shannon. Random base64 of 20 characters has about 4, of which hexadecimal digits have 3.2.
const BITS: f64 = 3.5;
const BITS_HEX: f64 = 3.0;

/// What looks like a secret on the lines of a file that were not there before. Signatures are random all through.
pub(super) fn check(path: &str, bytes: &[u8], before: &[u8], is_signature: bool, found: &mut Vec<Finding>) {
    let text = String::from_utf8_lossy(bytes);
    let before = String::from_utf8_lossy(before);
    let known: HashSet<&str> = before.lines().collect();
    let digests: HashSet<&str> = text.lines().filter(|line| is_named_random(line)).flat_map(words).collect();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !known.contains(line)) {
        let kind = COMPILED.iter().find(|(_, pattern)| pattern.is_match(line)).map(|(kind, _)| *kind);
        if let Some(kind) = kind {
            found.push(Finding::error("secret", path, number + 1).with("kind", kind));
        } else if !is_signature && let Some(length) = random(line, &digests) {
            found.push(Finding::error("random-text", path, number + 1).with("length", length));
        }
    }
}

/// How long a text is that is too random to be a name, and that is none of `digests`: addresses are made of digests.
fn random(line: &str, digests: &HashSet<&str>) -> Option<usize> {
    if is_named_random(line) {
        return None;
    }
    words(line).find(|word| is_random(word) && !digests.contains(word)).map(str::len)
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '+' || c == '='))
}

/// Whether the line is of a member whose value may be random.
fn is_named_random(line: &str) -> bool {
    let member = line.trim_start().strip_prefix('"').and_then(|rest| rest.split_once("\":")).map(|(name, _)| name);
    let name = member.unwrap_or_default().to_ascii_lowercase();
    RANDOM.iter().any(|end| name.ends_with(end))
}

fn is_random(word: &str) -> bool {
    let is_hex = word.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hex {
        return word.len() >= LEAST_HEX && bits(word) >= BITS_HEX;
    }
    let kind = |b: u8| match b {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    let kinds: HashSet<u8> = word.bytes().map(kind).collect();
    // Names change from one kind of sign to another at the beginnings of words, random text all the time.
    let changes = word.as_bytes().windows(2).filter(|pair| kind(pair[0]) != kind(pair[1])).count();
    word.len() >= LEAST
        && [0, 1, 2].iter().all(|kind| kinds.contains(kind))
        && changes * 3 >= word.len()
        && bits(word) >= BITS
}

/// Bits a character, after how often each is there.
fn bits(word: &str) -> f64 {
    let mut counts = [0_u32; 256];
    word.bytes().for_each(|b| counts[usize::from(b)] += 1);
    let length = word.len() as f64;
    counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / length).map(|p| -p * p.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Vec<String> {
        let mut found = Vec::new();
        check("f", line.as_bytes(), b"", false, &mut found);
        let word =
            |finding: Finding| finding.facts.into_iter().next().map_or(finding.rule.to_owned(), |(_, fact)| fact);
        found.into_iter().map(word).collect()
    }

    #[test]
    fn every_pattern_is_one_and_finds_what_it_is_for() {
        assert_eq!(COMPILED.len(), PATTERNS.len());
        let of = |prefix: &str, count: usize| format!("{prefix}{}", "Ab1".repeat(count));
        for (kind, text) in [
            ("private key", "-----BEGIN OPENSSH PRIVATE KEY-----".to_owned()),
            ("AWS access key", "AKIAIOSFODNN7EXAMPLE".to_owned()),
            ("Baidu Cloud access key", of("ALTAK", 7)),
            ("GitHub token", of("ghp_", 12)),
            ("GitLab token", of("glpat-", 7)),
            ("Hugging Face token", of("hf_", 11)),
            ("Slack token", of("xoxb-", 5)),
            ("Google API key", format!("{}Ab", of("AIza", 11))),
            ("package registry token", of("npm_", 12)),
            ("API key", of("sk-proj-", 12)),
            ("storage account key", of("AccountKey=", 15)),
            ("JSON web token", "eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSM".to_owned()),
            ("bearer token", "Authorization: Bearer abcdefghijklmnop".to_owned()),
            ("password in a URL", "https://mei:hunter2@host/x".to_owned()),
            ("signed URL", "https://b.s3.amazonaws.com/k?X-Amz-Signature=0123456789".to_owned()),
            ("value of a secret's name", r#""db_password": "hunter2""#.to_owned()),
        ] {
            assert_eq!(found(&text), [kind], "{text}");
        }
    }

    #[test]
    fn what_is_random_is_told_of_and_names_are_not() {
        assert_eq!(found(r#""note": "wJa1rXUt0FEMIK7MDEbPxR4fiCYEXAMPL9KE""#), ["36"]);
        assert_eq!(found(r#""note": "0cc175b9c0f1b6a831c399e269772661""#), ["32"]);
        for fine in [
            r#""sha256": "f6531615cddc8593368ddfefde59f1926d844070e3d427313377fd2577cc5c2f""#,
            r#""mlflow_run_id": "0cc175b9c0f1b6a831c399e269772661""#,
            r#""object_key": "sentiment/model/1.0.0/c93f1ff3f2d27557/model-1.0.0.tar.gz""#,
            r#""path": "/data/packages/MetaLlama38BInstructGGUFQ4KM/2024.01.20/""#,
            r#""tokenizer_version": "0.13.3-rust""#,
            r#""bos_token": "<|begin_of_text|>""#,
            r#""published_at": "2026-11-23T19:30:21Z""#,
            r#""url": "https://host/models/meta-llama/Llama-3.1-8B-Instruct-Q4_K_M.gguf""#,
            r#""note": "00000000000000000000000000000000""#,
        ] {
            assert_eq!(found(fine), Vec::<String>::new(), "{fine}");
        }
        let digest = "f6531615cddc8593368ddfefde59f1926d844070e3d427313377fd2577cc5c2f";
        let file = format!("\"sha256\": \"{digest}\",\n\"url\": \"https://host/{digest}/m.tar\"");
        assert_eq!(found(&file), Vec::<String>::new());
    }
}
