//! Signatures of real `ssh-keygen` are tested by `tests/it/signatures.rs`; here are lists of keys, and what counts.

use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use ssh_key::private::{Ed25519Keypair, Ed25519PrivateKey};
use ssh_key::public::{KeyData, SkEd25519};
use ssh_key::{Algorithm, HashAlg, LineEnding, PublicKey, SshSig};

use super::*;
use crate::model::Timestamp;

const MESSAGE: &[u8] = b"{\"serial\": 7}\n";
const NAME: &str = "deploy-tool-environment-prod";

fn space() -> Namespace {
    Namespace::environment(&"prod".parse().expect("a name"))
}

fn pair(seed: u8) -> Ed25519Keypair {
    Ed25519Keypair::from(Ed25519PrivateKey::from_bytes(&[seed; 32]))
}

fn key(seed: u8) -> String {
    PublicKey::from(KeyData::Ed25519(pair(seed).public)).to_openssh().expect("a key")
}

fn signed(seed: u8, namespace: &str, message: &[u8]) -> Vec<u8> {
    let key = ssh_key::PrivateKey::from(pair(seed));
    let signature = SshSig::sign(&key, namespace, HashAlg::Sha512, message).expect("signed");
    signature.to_pem(LineEnding::LF).expect("armour").into_bytes()
}

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn check(signers: &str, revoked: &str, signatures: &[Vec<u8>]) -> Checked {
    let keyring = Keyring {
        signers: AllowedSigners::parse(signers.as_bytes()).expect("signers"),
        revoked: Revoked::parse(revoked.as_bytes()).expect("revoked"),
    };
    let signatures = signatures.iter().map(|bytes| ("a.sig", bytes.as_slice()));
    keyring.check(&space(), MESSAGE, signatures, at("2026-11-25T12:00:00Z"))
}

/// Why the one signature does not count; `None` where it does.
fn why(signers: &str, revoked: &str, signature: Vec<u8>) -> Option<Why> {
    let checked = check(signers, revoked, &[signature]);
    assert_eq!(checked.accepted.len() + checked.rejected.len(), 1);
    checked.rejected.into_iter().next().map(|rejected| rejected.why)
}

#[test]
fn a_signature_counts_for_its_bytes_its_namespace_and_while_its_key_does() {
    let good = || signed(1, NAME, MESSAGE);
    let of = |options: &str| format!("# people\n\nmei@example.org {options} {} a comment\n", key(1));
    assert_eq!(why(&of(""), "", good()), None);
    assert_eq!(why(&of("namespaces=\"git,deploy-tool-*\""), "", good()), None);
    assert_eq!(why(&of("namespaces=\"git\""), "", good()), Some(Why::NotForThis));
    assert_eq!(why(&of("namespaces=\"deploy-tool-*,!*-prod\""), "", good()), Some(Why::NotForThis));
    assert_eq!(why(&of(""), "", signed(1, NAME, b"other")), Some(Why::OtherContent));
    for other in ["deploy-tool-manifest", "deploy-tool-environment-staging", "deploy-tool-environment"] {
        assert_eq!(why(&of(""), "", signed(1, other, MESSAGE)), Some(Why::Namespace(other.to_owned())));
    }
    assert_eq!(why(&of(""), "", signed(2, NAME, MESSAGE)), Some(Why::Unknown));
    assert_eq!(why(&of(""), &format!("# lost\n{}\n", key(1)), good()), Some(Why::Revoked));
    assert_eq!(why(&of(""), &key(2), good()), None);
    // Both bounds are still good, and each form of a time is read.
    for (options, is) in [
        ("valid-after=\"20261125120000Z\"", None),
        ("valid-after=\"202611251201Z\"", Some(Why::NotYetValid(at("2026-11-25T12:01:00Z")))),
        ("valid-before=\"202611251200Z\"", None),
        ("valid-before=\"20261125115959Z\"", Some(Why::Expired(at("2026-11-25T11:59:59Z")))),
        ("valid-after=\"20261125Z\",valid-before=\"20261126Z\"", None),
    ] {
        assert_eq!(why(&of(options), "", good()), is, "{options}");
    }
    assert!(matches!(why(&of(""), "", b"-----BEGIN SSH SIGNATURE-----\n".to_vec()), Some(Why::Unreadable(_))));
}

#[test]
fn who_has_several_keys_or_names_counts_once() {
    let all: Vec<_> = (1..=3).map(|seed| signed(seed, NAME, MESSAGE)).collect();
    let count = |names: [&str; 3]| {
        let lines = names.iter().zip(1..).map(|(name, seed)| format!("{name} {}\n", key(seed)));
        check(&lines.collect::<String>(), "", &all).people().len()
    };
    assert_eq!(count(["mei@x", "li@x", "wu@x"]), 3);
    assert_eq!(count(["mei@x", "li@x", "mei@x"]), 2);
    assert_eq!(count(["mei@x", "mei@x,m@y", "m@y"]), 1, "the one in the middle is both");
    assert_eq!(count(["mei@x", "*@x", "wu@y"]), 1, "a pattern says of nobody who it is");
    assert_eq!(count(["\"mei@x\"", "li@x", "mei@x"]), 2);
    // One key on two lines is one person, and one signature twice is one.
    let lines = format!("mei@x {0}\nli@x {0}\n", key(1));
    let checked = check(&lines, "", &[all[0].clone(), all[0].clone()]);
    let people = checked.people();
    assert_eq!((checked.accepted.len(), people.len()), (2, 1));
    assert!(people[0].is("mei@x") && people[0].is("li@x") && !people[0].is("wu@x"));
}

#[test]
fn what_is_not_understood_is_refused_with_its_line() {
    let refused = |line: &str| AllowedSigners::parse(format!("\n{line}\n").as_bytes()).expect_err("refused");
    let key = key(1);
    for (line, fault) in [
        (format!("mei@x cert-authority {key}"), Fault::CertAuthority),
        (format!("mei@x Cert-Authority,namespaces=\"git\" {key}"), Fault::CertAuthority),
        (format!("mei@x touch-required {key}"), Fault::Option("touch-required".to_owned())),
        (format!("mei@x namespaces=git {key}"), Fault::Unquoted("namespaces")),
        (format!("mei@x namespaces=\"a\",namespaces=\"b\" {key}"), Fault::Twice("namespaces")),
        (format!("mei@x namespaces=\"a {key}"), Fault::Quote),
        (format!("mei@x valid-after=\"20260101\" {key}"), Fault::LocalTime("20260101".to_owned())),
        (format!("mei@x valid-after=\"2026-01-01Z\" {key}"), Fault::Time("2026-01-01Z".to_owned())),
        (format!("mei@x valid-after=\"20261301Z\" {key}"), Fault::Time("20261301Z".to_owned())),
        (format!("mei@x valid-after=\"20270101Z\",valid-before=\"20260101Z\" {key}"), Fault::NeverValid),
        ("mei@x".to_owned(), Fault::NoKey),
    ] {
        assert_eq!(refused(&line), SignersError { line: 2, fault }, "{line}");
    }
    assert!(matches!(refused("mei@x ssh-ed25519 AAAA").fault, Fault::Key(_)));
    assert!(matches!(refused(&key).fault, Fault::Key(_)), "a key without a name before it");
    let not_text = AllowedSigners::parse(b"# \xff").expect_err("refused");
    assert_eq!(not_text, SignersError { line: 1, fault: Fault::NotText });
    assert_eq!(Revoked::parse(b"SSHKRL\n\0\0\0\0\x01"), Err(RevokedError::Krl));
    assert!(matches!(Revoked::parse(b"# a\nSHA256:abc\n"), Err(RevokedError::Key { line: 2, .. })));
}

/// As a token makes it: over the hashes of the application and of the message, with flags and a counter between.
#[test]
fn a_signature_of_a_hardware_key_counts() {
    fn raw<K: ssh_key::SigningKey>(key: &K, message: &[u8]) -> ssh_key::Signature {
        key.try_sign(message).expect("signed")
    }
    let private = pair(9);
    let public = KeyData::SkEd25519(SkEd25519::new(private.public, "ssh:"));
    let message = SshSig::signed_data(NAME, HashAlg::Sha512, MESSAGE).expect("wrapped");
    let trailer = [1, 0, 0, 0, 42];
    let over = [&Sha256::digest("ssh:")[..], &trailer, &Sha256::digest(&message)[..]].concat();
    let made = raw(&ssh_key::PrivateKey::from(private), &over);
    let data = [made.as_bytes(), &trailer].concat();
    let signature = ssh_key::Signature::new(Algorithm::SkEd25519, data).expect("a signature");
    let armour = SshSig::new(public.clone(), NAME, HashAlg::Sha512, signature).expect("whole");
    let bytes = armour.to_pem(LineEnding::LF).expect("armour").into_bytes();
    let line = format!("mei@x {}\n", PublicKey::from(public).to_openssh().expect("a key"));
    assert_eq!(why(&line, "", bytes.clone()), None);
    let keyring = Keyring { signers: AllowedSigners::parse(line.as_bytes()).expect("signers"), ..Keyring::default() };
    let other = keyring.check(&space(), b"other", [("a.sig", bytes.as_slice())], at("2026-11-25T12:00:00Z"));
    assert_eq!(other.rejected[0].why, Why::OtherContent);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[ -~\n]{0,120}") {
        let _ = (AllowedSigners::parse(&bytes), Revoked::parse(&bytes), Signature::parse(&bytes));
        let _ = (AllowedSigners::parse(text.as_bytes()), Revoked::parse(text.as_bytes()));
        let options = format!("mei@x {text} {}", key(1));
        let _ = AllowedSigners::parse(options.as_bytes());
    }

    /// Whatever byte is another one, the signature does not count for the new content, and what counts says the same
    /// as before.
    #[test]
    fn a_flipped_byte_is_noticed(at_byte in any::<prop::sample::Index>(), bit in 0..8u8) {
        let good = signed(1, NAME, MESSAGE);
        let lines = format!("mei@x {}\n", key(1));
        let keyring = Keyring { signers: AllowedSigners::parse(lines.as_bytes()).expect("signers"), ..Keyring::default() };
        let mut message = MESSAGE.to_vec();
        message[at_byte.index(MESSAGE.len())] ^= 1 << bit;
        let checked = keyring.check(&space(), &message, [("a.sig", good.as_slice())], at("2026-11-25T12:00:00Z"));
        prop_assert_eq!(checked.accepted.len(), 0);
    }
}
