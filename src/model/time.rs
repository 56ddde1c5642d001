//! Instants and spans as they stand in manifests, records, history and configuration.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Why a text is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time such as `2024-01-20T10:00:00Z`")]
pub struct TimeError(pub String);

/// An instant in whole seconds, written as RFC 3339 in UTC: `2024-01-20T10:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant `seconds` after 1970-01-01T00:00:00Z; `None` outside the years -9999 to 9999.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        jiff::Timestamp::from_second(seconds).ok().map(|_| Self(seconds))
    }

    /// Seconds after 1970-01-01T00:00:00Z.
    pub fn as_unix(self) -> i64 {
        self.0
    }

    /// The instant `span` later, fractions of a second rounded up; the last one there is where that is behind it.
    pub fn after(self, span: Duration) -> Self {
        let whole = span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0));
        let seconds = self.0.saturating_add(i64::try_from(whole).unwrap_or(i64::MAX));
        Self::from_unix(seconds).unwrap_or(Self(jiff::Timestamp::MAX.as_second()))
    }

    /// Time passed since `earlier`; zero where `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_secs(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        text.parse::<jiff::Timestamp>().map(|t| Self(t.as_second())).map_err(|_| TimeError(text.to_owned()))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimeError;

    fn try_from(text: String) -> Result<Self, TimeError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> String {
        time.to_string()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(time) => write!(f, "{time}"),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

/// Why a text is not a span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a span such as `30s`, `10m`, `12h` or `30d`")]
pub struct SpanError(pub String);

/// A span of time: a whole number and `ms`, `s`, `m`, `h`, `d` or `w`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

/// Milliseconds of each unit, the longest first.
const SPAN_UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let milliseconds = SPAN_UNITS.iter().find_map(|(unit, factor)| {
            let count = text.trim().strip_suffix(*unit)?.parse::<u64>().ok()?;
            count.checked_mul(*factor)
        });
        milliseconds.map(|ms| Self(Duration::from_millis(ms))).ok_or_else(|| SpanError(text.to_owned()))
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;

    fn try_from(text: String) -> Result<Self, SpanError> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        let fits =
            |factor: &u64| milliseconds >= u128::from(*factor) && milliseconds.is_multiple_of(u128::from(*factor));
        let (name, factor) = SPAN_UNITS.iter().find(|(_, factor)| fits(factor)).unwrap_or(&("s", 1000));
        write!(f, "{}{name}", milliseconds / u128::from(*factor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_utc_seconds() {
        let time: Timestamp = "2024-01-20T12:00:00.9+02:00".parse().expect("RFC 3339");
        assert_eq!(time.to_string(), "2024-01-20T10:00:00Z");
        assert!("yesterday".parse::<Timestamp>().is_err());
    }

    #[test]
    fn an_instant_later_is_never_too_early_and_never_out_of_range() {
        let time = Timestamp::from_unix(100).expect("a time");
        assert_eq!(time.after(Duration::from_millis(1500)).as_unix(), 102);
        let last = time.after(Duration::MAX);
        assert_eq!(last.to_string().parse(), Ok(last));
    }

    #[test]
    fn spans_round_trip() {
        assert_eq!("30d".parse(), Ok(Span(Duration::from_secs(30 * 86_400))));
        assert_eq!(Span(Duration::from_secs(90)).to_string(), "90s");
        assert_eq!(Span(Duration::from_secs(172_800)).to_string(), "2d");
        for text in ["500ms", "1500ms", "2s", "0s", "10m"] {
            assert_eq!(text.parse::<Span>().map(|span| span.to_string()), Ok(text.to_owned()));
        }
        assert!("soon".parse::<Span>().is_err());
        assert!("-5s".parse::<Span>().is_err());
    }
}
