//! Signatures: who signed a file of the records, and whether that counts.
//!
//! ```text
//! allowed_signers ── signers ──┐
//! revoked keys ──── revoked ───┤
//! <file>.sigs/*.sig ─ signature ┴─▶ keyring ──▶ Checked: who signed, distinct people, what does not count and why
//! ```
//!
//! Signatures are SSHSIG, as `ssh-keygen -Y sign` makes and `ssh-keygen -Y verify` takes them (PROTOCOL.sshsig of OpenSSH),
//! over the committed bytes of a file, in a namespace that says which file it is. They are checked in this process: Ed25519, ECDSA over
//! P-256 and both kinds of hardware keys. Making one is left to `ssh-keygen`, which knows files, agents and hardware keys.
//!
//! Promises: nothing counts but a signature over exactly these bytes, in this namespace, by a key that is listed, was not
//! revoked and is valid at the time asked about; who has several keys, or lines, counts once. Whatever cannot be
//! understood in a list of keys is refused, never passed over. Must not know: where files come from, git, what a
//! signature is needed for.

mod keyring;
mod pattern;
mod revoked;
mod sign;
mod signature;
mod signers;
#[cfg(test)]
mod tests;

pub use keyring::{Accepted, Checked, Keyring, Person, Rejected, Why};
pub use revoked::{Revoked, RevokedError};
pub use sign::{Made, SignError, Signing, sign};
pub use signature::{Fingerprint, Namespace, Signature, SignatureError};
pub use signers::{AllowedSigners, Fault, SignersError};
