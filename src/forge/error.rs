//! Why a request could not be found, opened or updated.

use std::time::Duration;

/// What a forge was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// To list open requests.
    Find,
    /// To open a request.
    Open,
    /// To change the words of a request.
    Update,
}

/// What went wrong. None of it holds a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The configuration leads nowhere.
    #[error("{reason}")]
    Settings {
        /// What is wrong with it.
        reason: String,
    },
    /// The token is not taken, or may not do this.
    #[error("`{place}` answered {status}: {message}")]
    Denied {
        /// What it was asked for.
        doing: Doing,
        /// Who answered.
        place: String,
        /// The status: 401 or 403.
        status: u16,
        /// What it said.
        message: String,
    },
    /// There is no such project, or the token may not see it.
    #[error("`{place}` has no project `{project}`")]
    NoProject {
        /// Who answered.
        place: String,
        /// The project.
        project: String,
    },
    /// Any other refusal.
    #[error("`{place}` answered {status}: {message}")]
    Refused {
        /// What it was asked for.
        doing: Doing,
        /// Who answered.
        place: String,
        /// The status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// It wants to be asked later than we wait.
    #[error("`{place}` answered {status}")]
    Busy {
        /// Who answered.
        place: String,
        /// The status.
        status: u16,
        /// How long it wants to be left alone, where it said so.
        wait: Option<Duration>,
    },
    /// It failed, again and again.
    #[error("`{place}` answered {status}")]
    Server {
        /// Who answered.
        place: String,
        /// The status.
        status: u16,
    },
    /// It sends us elsewhere, where the token must not go.
    #[error("`{place}` redirects to `{to}`")]
    Redirect {
        /// Who answered.
        place: String,
        /// Where to, without a query.
        to: String,
    },
    /// Nobody answered.
    #[error("`{place}` does not answer: {reason}")]
    Connection {
        /// Who was asked.
        place: String,
        /// Why not.
        reason: String,
    },
    /// The answer is none that this interface gives.
    #[error("`{place}` does not speak as it should: {reason}")]
    Protocol {
        /// Who answered.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A result of this room.
pub type Result<T> = std::result::Result<T, Error>;
