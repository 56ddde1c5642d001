//! Making a signature with `ssh-keygen -Y sign`: the key may be a file, an agent's or on a hardware token.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::signature::{Fingerprint, Namespace, Signature};
use crate::process::{self, Command, Ended};

/// Long enough to find a token and touch it.
const LIMIT: Duration = Duration::from_secs(120);

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// What signing needs.
#[derive(Debug, Clone, Copy)]
pub struct Signing<'a> {
    /// The private key, or the public one of a key that the agent has.
    pub key: &'a Path,
    /// Where `ssh-keygen` is run.
    pub dir: &'a Path,
    /// All that is in its environment: `PATH`, `SSH_AUTH_SOCK`, `SSH_ASKPASS` …
    pub environment: &'a BTreeMap<String, String>,
}

/// A signature that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The key.
    pub fingerprint: Fingerprint,
    /// The signature in its armour.
    pub bytes: Vec<u8>,
}

/// Why no signature was made.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// `ssh-keygen` cannot be run.
    #[error(transparent)]
    NotRun(#[from] process::Error),
    /// Nobody touched the token or typed a passphrase.
    #[error("ssh-keygen took longer than {} seconds", LIMIT.as_secs())]
    TimedOut,
    /// It said no.
    #[error("ssh-keygen: {0}")]
    Refused(String),
    /// What it made does not verify here, such as one of a key that is not supported.
    #[error("the signature of a `{algorithm}` key does not verify")]
    Unusable {
        /// The kind of key.
        algorithm: String,
    },
}

/// Signs a message; what was made is verified before it is given out.
///
/// # Errors
///
/// No such key, no agent that has it, a passphrase that nobody gave: `ssh-keygen` says.
pub fn sign(signing: &Signing<'_>, namespace: &Namespace, message: &[u8]) -> Result<Made, SignError> {
    let key = signing.key.display().to_string();
    let args = ["-Y", "sign", "-n", namespace.as_str(), "-f", &key].map(str::to_owned);
    let command =
        Command { program: Path::new("ssh-keygen"), args: &args, dir: signing.dir, environment: signing.environment };
    let ran = process::run_with_input(&command, message, LIMIT)?;
    let said = String::from_utf8_lossy(&ran.output);
    match ran.ended {
        Ended::Exit(0) => {}
        Ended::TimedOut => return Err(SignError::TimedOut),
        _ => return Err(SignError::Refused(said.trim().lines().collect::<Vec<_>>().join("; "))),
    }
    // What it says besides comes by the same pipe.
    let armour = said.find(BEGIN).zip(said.find(END)).and_then(|(from, to)| said.get(from..to + END.len()));
    let armour = armour.ok_or_else(|| SignError::Refused(said.trim().to_owned()))?;
    let bytes = format!("{armour}\n").into_bytes();
    let signature = Signature::parse(&bytes).map_err(|e| SignError::Refused(e.to_string()))?;
    if !signature.is_supported() || !signature.is_over(namespace, message) {
        return Err(SignError::Unusable { algorithm: signature.algorithm() });
    }
    Ok(Made { fingerprint: signature.fingerprint(), bytes })
}
