//! Keys that count no more: a list of public keys, one a line, as `ssh-keygen -Y verify -r` takes it. The other form it
//! takes, a key revocation list (KRL), is binary and refused.

use ssh_key::PublicKey;
use ssh_key::public::KeyData;

const KRL_MAGIC: &[u8] = b"SSHKRL\n\0";

/// Revoked keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revoked(Vec<KeyData>);

/// A list of revoked keys that is not understood. To pass over a line could let a revoked key count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevokedError {
    /// A KRL.
    #[error("a key revocation list (KRL)")]
    Krl,
    /// Not UTF-8.
    #[error("not text")]
    NotText,
    /// A line that is no public key.
    #[error("line {line} is no public key: {reason}")]
    Key {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl Revoked {
    /// Reads a list; empty lines and those that begin with `#` say nothing.
    ///
    /// # Errors
    ///
    /// A line that is no public key; a KRL.
    pub fn parse(bytes: &[u8]) -> Result<Self, RevokedError> {
        if bytes.starts_with(KRL_MAGIC) {
            return Err(RevokedError::Krl);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| RevokedError::NotText)?;
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        let keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(line, text)| {
            let key = PublicKey::from_openssh(text);
            key.map(|key| key.key_data().clone()).map_err(|e| RevokedError::Key { line, reason: e.to_string() })
        });
        keys.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn has(&self, key: &KeyData) -> bool {
        self.0.contains(key)
    }
}
