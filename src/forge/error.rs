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
        reason: Setting,
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
        reason: Nonsense,
    },
}

/// Why the configuration leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Setting {
    /// Neither it nor the remote's URL says which project is meant.
    #[error("the remote's URL does not say which project it is: set `records.forge.project`")]
    NoProject,
    /// Neither it nor the remote's URL says where the interface is.
    #[error("the remote's URL does not say where its interface is: set `records.forge.api`")]
    NoApi,
    /// No name of a project.
    #[error("`{0}` is not the name of a project: set `records.forge.project` to OWNER/NAME")]
    Project(String),
    /// No URL of an interface; why not in the library's words.
    #[error("`records.forge.api` cannot be read: {0}")]
    Api(String),
    /// A URL without a host.
    #[error("`{0}` is not the URL of an interface")]
    Base(String),
    /// A token that no header can hold.
    #[error("the token has characters that no request can carry")]
    Token,
    /// What a library says of proxies or certificates.
    #[error("{0}")]
    Library(String),
}

/// Why an answer is none that the interface gives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Nonsense {
    /// A list that goes on and on.
    #[error("its list of open requests has no end")]
    EndlessList,
    /// A redirect to nowhere.
    #[error("it redirects to what is no URL")]
    Location,
    /// Redirect after redirect.
    #[error("it redirects without end")]
    EndlessRedirect,
    /// A URL that cannot be added to.
    #[error("its URL takes no path")]
    NoPath,
    /// Far more bytes than such an answer has.
    #[error("its answer is far longer than it should be")]
    TooLong,
    /// Other JSON than documented; why in the library's words.
    #[error("its answer is not as documented: {0}")]
    Json(String),
    /// It was not asked at all.
    #[error("it was not asked")]
    Unasked,
}

/// A result of this room.
pub type Result<T> = std::result::Result<T, Error>;
