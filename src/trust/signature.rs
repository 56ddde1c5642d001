//! One signature: SSHSIG, as PROTOCOL.sshsig of OpenSSH describes it.

use std::fmt;

use serde::Serialize;
use ssh_key::public::KeyData;
use ssh_key::{HashAlg, SshSig};

use crate::model::{ComponentType, EnvironmentName, Version};

/// The longest signature that is read: a hundred times what the longest one has.
pub const MAX_BYTES: usize = 64 << 10;

/// What a signature is for: the kind of file, and which one, where the file itself does not say. So a signature of a
/// manifest is never taken for one of an environment, and one of `staging` never for one of `prod`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// `manifest.json`, which names its component and version: `deploy-tool-manifest`.
    pub fn manifest() -> Self {
        Self("deploy-tool-manifest".to_owned())
    }

    /// `environments/<name>.json`: `deploy-tool-environment-<name>`.
    pub fn environment(name: &EnvironmentName) -> Self {
        Self(format!("deploy-tool-environment-{name}"))
    }

    /// `yanked.json` of a version: `deploy-tool-yank-<type>@<version>`.
    pub fn yank(component: &ComponentType, version: &Version) -> Self {
        Self(format!("deploy-tool-yank-{component}@{version}"))
    }

    /// `policy.json`: `deploy-tool-policy`.
    pub fn policy() -> Self {
        Self("deploy-tool-policy".to_owned())
    }

    /// `heartbeat.json`: `deploy-tool-heartbeat`.
    pub fn heartbeat() -> Self {
        Self("deploy-tool-heartbeat".to_owned())
    }

    /// Its name in the signature, and for `ssh-keygen -n`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The sha256 of a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(super) fn of(key: &KeyData) -> Self {
        Self(key.fingerprint(HashAlg::Sha256).sha256().unwrap_or_default())
    }

    /// The name of this key's signature beside others: 64 hex digits and `.sig`, since base64 has slashes.
    pub fn file_name(&self) -> String {
        let digits: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{digits}.sig")
    }
}

impl fmt::Display for Fingerprint {
    /// As `ssh-keygen -l` shows it: `SHA256:…`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use base64::Engine as _;
        write!(f, "SHA256:{}", base64::engine::general_purpose::STANDARD_NO_PAD.encode(self.0))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Bytes that are no signature that can be checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Longer than any signature.
    #[error("{0} bytes are no signature")]
    TooLong(usize),
    /// Not SSHSIG.
    #[error("not an SSH signature: {0}")]
    Malformed(String),
}

/// A signature that was read, and not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature(SshSig);

impl Signature {
    /// Reads a signature in its armour (`-----BEGIN SSH SIGNATURE-----`).
    ///
    /// # Errors
    ///
    /// It is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        if bytes.len() > MAX_BYTES {
            return Err(SignatureError::TooLong(bytes.len()));
        }
        SshSig::from_pem(bytes).map(Self).map_err(|e| SignatureError::Malformed(e.to_string()))
    }

    /// The key that it says it was made with.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.0.public_key())
    }

    /// The namespace that it says it is for.
    pub fn namespace(&self) -> &str {
        self.0.namespace()
    }

    pub(super) fn key(&self) -> &KeyData {
        self.0.public_key()
    }

    /// The name of the key's algorithm, such as `ssh-ed25519`.
    pub(super) fn algorithm(&self) -> String {
        self.0.public_key().algorithm().to_string()
    }

    /// Whether signatures of this key can be checked here.
    pub(super) fn is_supported(&self) -> bool {
        let key = self.0.public_key();
        let p256 = |key: &ssh_key::public::EcdsaPublicKey| key.curve() == ssh_key::EcdsaCurve::NistP256;
        key.is_ed25519() || key.is_sk_ed25519() || key.is_sk_ecdsa_p256() || key.ecdsa().is_some_and(p256)
    }

    /// Whether its key made it over exactly this message, in this namespace. Says nothing of whose key that is.
    pub fn is_over(&self, namespace: &Namespace, message: &[u8]) -> bool {
        let key = ssh_key::PublicKey::from(self.0.public_key().clone());
        key.verify(namespace.as_str(), message, &self.0).is_ok()
    }
}
