//! `allowed_signers`: which key is whose, for what, and when (ALLOWED SIGNERS in ssh-keygen(1)).
//!
//! ```text
//! # principals          options                                                   key
//! mei@example.org       namespaces="deploy-tool-*",valid-before="20270101Z"        ssh-ed25519 AAAA…
//! *@ops.example.org                                                                ecdsa-sha2-nistp256 AAAA…
//! ```
//!
//! Fewer files are taken than by `ssh-keygen`: `cert-authority` is refused, and so are times without `Z`, which would mean
//! another moment on each host.

use ssh_key::PublicKey;
use ssh_key::public::KeyData;

use super::pattern::PatternList;
use crate::model::Timestamp;

/// The keys that may sign, line by line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedSigners(pub(super) Vec<Line>);

/// One line: a key and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The line, from 1.
    pub number: usize,
    pub principals: PatternList,
    pub key: KeyData,
    /// For which namespaces; `None` for all.
    pub namespaces: Option<PatternList>,
    pub valid_after: Option<Timestamp>,
    pub valid_before: Option<Timestamp>,
}

/// A file of allowed signers that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {fault}")]
pub struct SignersError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a line of allowed signers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not UTF-8.
    #[error("not text")]
    NotText,
    /// A quote that is not closed.
    #[error("a quote is not closed")]
    Quote,
    /// No key stands in it.
    #[error("no key")]
    NoKey,
    /// What should be a key is none.
    #[error("no public key: {0}")]
    Key(String),
    /// A key that signs certificates, which this program does not check.
    #[error("`cert-authority`")]
    CertAuthority,
    /// An option that ssh-keygen does not have, or a newer one has.
    #[error("the option `{0}`")]
    Option(String),
    /// An option that stands twice.
    #[error("`{0}` stands twice")]
    Twice(&'static str),
    /// A value without quotes.
    #[error("the value of `{0}` is not quoted")]
    Unquoted(&'static str),
    /// Not `YYYYMMDDZ` or `YYYYMMDDHHMM[SS]Z`.
    #[error("`{0}` is no time")]
    Time(String),
    /// A time without `Z`.
    #[error("`{0}` is a time without `Z`")]
    LocalTime(String),
    /// It ends before it begins, so the key is never valid.
    #[error("never valid")]
    NeverValid,
}

impl AllowedSigners {
    /// Reads such a file.
    ///
    /// # Errors
    ///
    /// The first line that is not understood.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignersError> {
        let text = std::str::from_utf8(bytes).map_err(|e| SignersError {
            line: bytes[..e.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1,
            fault: Fault::NotText,
        })?;
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let lines = lines.map(|(line, text)| self::line(line, text).map_err(|fault| SignersError { line, fault }));
        lines.collect::<Result<_, _>>().map(Self)
    }
}

fn line(number: usize, text: &str) -> Result<Line, Fault> {
    let (principals, rest) = word(text)?;
    let mut line = Line {
        number,
        principals: PatternList::new(&principals.replace('"', "")),
        key: KeyData::Ed25519(ssh_key::public::Ed25519PublicKey([0; 32])),
        namespaces: None,
        valid_after: None,
        valid_before: None,
    };
    if rest.is_empty() {
        return Err(Fault::NoKey);
    }
    // As ssh-keygen does: what is no key is options, and then there must be one.
    line.key = match key(rest) {
        Ok(key) => key,
        Err(reason) => {
            let (options, rest) = word(rest)?;
            if rest.is_empty() || looks_like_a_key(options) {
                return Err(Fault::Key(reason));
            }
            line.options(options)?;
            key(rest).map_err(Fault::Key)?
        }
    };
    match (line.valid_after, line.valid_before) {
        (Some(after), Some(before)) if before <= after => Err(Fault::NeverValid),
        _ => Ok(line),
    }
}

fn looks_like_a_key(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|start| word.starts_with(start))
}

fn key(text: &str) -> Result<KeyData, String> {
    PublicKey::from_openssh(text).map(|key| key.key_data().clone()).map_err(|e| e.to_string())
}

/// The text up to the first space outside quotes, and what is behind the space.
fn word(text: &str) -> Result<(&str, &str), Fault> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => quoted = !quoted,
            ' ' | '\t' if !quoted => return Ok((&text[..at], text[at..].trim_start())),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    if quoted { Err(Fault::Quote) } else { Ok((text, "")) }
}

impl Line {
    fn options(&mut self, text: &str) -> Result<(), Fault> {
        let mut rest = text;
        while !rest.is_empty() {
            let (name, value, behind) = option(rest)?;
            rest = behind;
            match name.to_ascii_lowercase().as_str() {
                "cert-authority" => return Err(Fault::CertAuthority),
                "namespaces" => put(&mut self.namespaces, "namespaces", value, |list| Ok(PatternList::new(&list)))?,
                "valid-after" => put(&mut self.valid_after, "valid-after", value, time)?,
                "valid-before" => put(&mut self.valid_before, "valid-before", value, time)?,
                _ => return Err(Fault::Option(name.to_owned())),
            }
        }
        Ok(())
    }
}

/// An option that may stand once.
fn put<T>(
    place: &mut Option<T>,
    name: &'static str,
    value: Option<String>,
    read: impl FnOnce(String) -> Result<T, Fault>,
) -> Result<(), Fault> {
    match place.replace(read(value.ok_or(Fault::Unquoted(name))?)?) {
        Some(_) => Err(Fault::Twice(name)),
        None => Ok(()),
    }
}

/// The first option of a list: its name, its value where one stands there in quotes, and what is behind the comma.
fn option(text: &str) -> Result<(&str, Option<String>, &str), Fault> {
    let end = text.find([',', '=']).unwrap_or(text.len());
    let (name, rest) = (&text[..end], &text[end..]);
    let Some(quoted) = rest.strip_prefix("=\"") else {
        // A value without quotes is given to nobody: whoever needs one says so.
        let end = rest.find(',').unwrap_or(rest.len());
        return Ok((name, None, rest[end..].strip_prefix(',').unwrap_or_default()));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let behind = &quoted[at + 1..];
                return match behind.strip_prefix(',') {
                    Some(rest) if !rest.is_empty() => Ok((name, Some(value), rest)),
                    None if behind.is_empty() => Ok((name, Some(value), "")),
                    _ => Err(Fault::Option(name.to_owned())),
                };
            }
            // Only a quote is written with a backslash.
            '\\' if quoted[at + 1..].starts_with('"') => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    Err(Fault::Quote)
}

/// `YYYYMMDDZ`, `YYYYMMDDHHMMZ` or `YYYYMMDDHHMMSSZ`.
fn time(text: String) -> Result<Timestamp, Fault> {
    let bad = || Fault::Time(text.clone());
    let digits = text.strip_suffix(['Z', 'z']).unwrap_or(&text);
    if !matches!(digits.len(), 8 | 12 | 14) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    if digits.len() == text.len() {
        return Err(Fault::LocalTime(text));
    }
    let (d, clock) = digits.split_at(8);
    let clock = format!("{clock:0<6}");
    let day = format!("{}-{}-{}", &d[..4], &d[4..6], &d[6..]);
    format!("{day}T{}:{}:{}Z", &clock[..2], &clock[2..4], &clock[4..]).parse().map_err(|_| bad())
}
