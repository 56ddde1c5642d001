//! What is wrong with an answer that makes no sense, and why there is no login.

use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitStatus;

/// Why an answer makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Nonsense {
    /// No length of a file.
    #[error("it does not say how long the file is")]
    NoSize,
    /// A part without `Content-Range`.
    #[error("it is a part of the file, but does not say which")]
    NoRange,
    /// A part of another length than asked for, in bytes.
    #[error("it says that {found} bytes come, not the {asked} asked for")]
    OtherLength {
        /// What it says.
        found: u64,
        /// What was asked for.
        asked: u64,
    },
    /// Another part than asked for.
    #[error("it has the bytes {} to {}, not {} to {}, which were asked for", found.start, found.end, asked.start, asked.end)]
    OtherRange {
        /// What it has.
        found: Range<u64>,
        /// What was asked for.
        asked: Range<u64>,
    },
    /// A part where nobody asked for one.
    #[error("it is a part of the file, and all of it was asked for")]
    Unasked,
    /// Far more bytes than such an answer has.
    #[error("it is far longer than it should be")]
    TooLong,
    /// A redirect to nowhere.
    #[error("it redirects to what is no URL")]
    Location,
    /// A `Content-Encoding` that was not asked for.
    #[error("it was encoded on the way (`{0}`), which nobody asked for")]
    Encoded(String),
    /// No `ETag` of what was written.
    #[error("it gives no ETag")]
    NoTag,
    /// After writing there is nothing.
    #[error("after writing {written} bytes it holds nothing")]
    HoldsNothing {
        /// How many bytes were written.
        written: u64,
    },
    /// After writing there is something else.
    #[error("after writing {written} bytes it holds {holds} bytes")]
    HoldsOther {
        /// How many bytes were written.
        written: u64,
        /// How many are there.
        holds: u64,
    },
    /// It took a file, which is not there.
    #[error("it took the file and does not have it")]
    Lost,
    /// It took a file, of which not all is there.
    #[error("it took the file and does not have all of it")]
    LostPart,
    /// A manifest of another digest.
    #[error("it gives a manifest of another digest than was asked for")]
    OtherManifest,
    /// No `Range` of an upload.
    #[error("it does not say how far the upload is")]
    NoPosition,
    /// No `Location` of an upload.
    #[error("it does not say where the upload goes")]
    NoUpload,
    /// A list that is none.
    #[error("its list cannot be read")]
    List,
    /// A token server that is no URL.
    #[error("it sends us to a token server that is no URL")]
    TokenServer,
    /// A token server without a token.
    #[error("its token server gave no token")]
    NoToken,
    /// A key of another target.
    #[error("the key is none of this target")]
    Key,
    /// A tag made of a digest that names something else.
    #[error("the tag of these very bytes names others")]
    Tag,
    /// A manifest that is no JSON.
    #[error("its manifest cannot be written")]
    Manifest,
    /// An answer that is not the JSON it should be; why not in the library's words.
    #[error("its JSON cannot be read: {0}")]
    Json(String),
    /// What a library says of it.
    #[error("{0}")]
    Library(String),
}

/// Why a login cannot be had, or must not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoLogin {
    /// docker's config.json cannot be read.
    #[error("cannot read `{}`: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// docker's config.json is not the JSON it should be. What the parser says could hold a piece of it.
    #[error("`{}` cannot be read: line {line}, column {column}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where.
        line: usize,
        /// Where in the line.
        column: usize,
    },
    /// docker's config.json names what is no program.
    #[error("docker's config.json names `{0}` as a credential helper")]
    Helper(String),
    /// A credential helper cannot be run.
    #[error("`{program}` cannot be run: {reason}")]
    NotRun {
        /// The program.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// A credential helper failed.
    #[error("`{program} get` failed: {status}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// A credential helper did not speak docker's protocol.
    #[error("`{0} get` gave no login")]
    Nothing(String),
    /// The token server is asked without TLS.
    #[error("the registry wants the login sent to `{0}`, in the clear")]
    Clear(String),
    /// It does not fit into a header.
    #[error("it has characters that no request can carry")]
    Characters,
}
