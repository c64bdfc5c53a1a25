//! What can go wrong between a program and a server, told so that the two can be kept apart: the network, the
//! login, the protocol, and what the server says about a statement.

use hs2_proto::rowset::arrow::BatchError;
use hs2_proto::tcli::{GetOperationStatusResp, Status};
use hs2_proto::thrift::ApplicationException;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No TCP connection. Nothing was asked of the server; another one may be tried.
    #[error("cannot connect to {server}: {source}; check the address, and that the server runs")]
    Connect {
        /// `host:port`.
        server: String,
        /// What the system says.
        source: io::Error,
    },
    /// The server took the connection and did not finish the login in time.
    #[error(
        "{server} took the connection but did not finish the login within {after:?}; if it runs with authentication NOSASL, connect with auth=noSasl"
    )]
    LoginTimeout {
        /// `host:port`.
        server: String,
        /// How long was waited.
        after: Duration,
    },
    /// No TLS: the certificate is not trusted or is another host's, or the server speaks none.
    #[error("no TLS with {server}: {reason}")]
    Tls {
        /// `host:port`.
        server: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The server refused user or password, or the mechanism. Trying again changes nothing.
    #[error("{server} refused the login of {user}: {message}")]
    LoginRefused {
        /// `host:port`.
        server: String,
        /// Who tried to log in.
        user: String,
        /// The server's words.
        message: String,
    },
    /// No ticket for the server, or the server has not proven to be who it should be.
    #[cfg(feature = "gssapi")]
    #[error(
        "no Kerberos login at {server}, as the principal {principal}: {reason}; see klist for tickets, kinit gets one, or KRB5_CLIENT_KTNAME names a keytab"
    )]
    Kerberos {
        /// `host:port`.
        server: String,
        /// Who the server should be.
        principal: String,
        /// What the Kerberos library says.
        reason: String,
    },
    /// No answer in time. The server may still do what it was asked; the connection cannot be used any more.
    #[error(
        "{server} did not answer {method} within {after:?}; raise the call timeout if it needs longer"
    )]
    Timeout {
        /// `host:port`.
        server: String,
        /// Method that was called.
        method: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// The connection is gone, now or since an earlier call. The server may or may not have done what it was asked.
    #[error("the connection to {server} is closed: {reason}; connect again")]
    Closed {
        /// `host:port`.
        server: String,
        /// Why.
        reason: Arc<str>,
    },
    /// The server broke the protocol, or speaks another one.
    #[error("{server} does not speak as a HiveServer2 should: {reason}")]
    Protocol {
        /// `host:port`.
        server: String,
        /// What is wrong.
        reason: String,
    },
    /// The server does not know the method, or could not read the call. The connection is good.
    #[error("the server could not take the call: {0}")]
    Exception(ApplicationException),
    /// The server did not do what it was asked, and says why.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Somebody cancelled the operation.
    #[error("the operation was cancelled{}", reason_text(reason.as_deref()))]
    Cancelled {
        /// What the server says about it.
        reason: Option<String>,
    },
    /// The statement ran longer than it was allowed to.
    #[error("the statement ran into its time limit")]
    QueryTimeout,
    /// The rows are not what the result's schema says.
    #[error("the result cannot be read: {0}")]
    Batch(#[from] BatchError),
    /// The statement has no result to read.
    #[error("the statement has no result set")]
    NoResultSet,
    /// The options or the URL ask for something this client cannot do.
    #[error("{0}")]
    Unsupported(String),
    /// The URL cannot be read.
    #[error(transparent)]
    Url(#[from] discovery::UrlError),
    /// No server could be found.
    #[error("{0}")]
    Discovery(String),
    /// Servers were found, and none could be used.
    #[error("no server could be used: {}", attempts_text(.0))]
    AllFailed(Vec<Attempt>),
}

/// One server that was tried, and why it could not be used.
#[derive(Debug)]
pub struct Attempt {
    /// `host:port`, or the path of a znode that does not say.
    pub server: String,
    /// What went wrong.
    pub error: Error,
}

fn attempts_text(attempts: &[Attempt]) -> String {
    let lines: Vec<_> = attempts
        .iter()
        .map(|attempt| format!("{}: {}", attempt.server, attempt.error))
        .collect();
    lines.join("; ")
}

fn reason_text(reason: Option<&str>) -> String {
    reason
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default()
}

impl Error {
    /// The SQLSTATE: the server's own where it gave one, else what Hive's driver or the standard has for what the
    /// client found out by itself.
    #[must_use]
    pub fn sql_state(&self) -> Option<&str> {
        Some(match self {
            Self::Server(error) => return error.sql_state.as_deref(),
            Self::AllFailed(attempts) => {
                return attempts
                    .last()
                    .and_then(|attempt| attempt.error.sql_state());
            }
            Self::Connect { .. } | Self::Discovery(_) => "08001",
            Self::Tls { .. }
            | Self::LoginTimeout { .. }
            | Self::Timeout { .. }
            | Self::Closed { .. }
            | Self::Protocol { .. } => "08S01",
            Self::LoginRefused { .. } => "28000",
            #[cfg(feature = "gssapi")]
            Self::Kerberos { .. } => "28000",
            Self::Cancelled { .. } => "HY008",
            Self::QueryTimeout => "HYT00",
            Self::Batch(_) => "HY000",
            Self::NoResultSet => "02000",
            Self::Exception(_) | Self::Unsupported(_) => "0A000",
            Self::Url(_) => "HY000",
        })
    }

    /// True when another server of the same fleet may do better. A refused login is final, and so is a request that
    /// this client cannot make.
    #[must_use]
    pub const fn is_worth_another_server(&self) -> bool {
        // Each server has a principal of its own.
        #[cfg(feature = "gssapi")]
        if matches!(self, Self::Kerberos { .. }) {
            return true;
        }
        matches!(
            self,
            Self::Connect { .. }
                | Self::Tls { .. }
                | Self::LoginTimeout { .. }
                | Self::Timeout { .. }
                | Self::Closed { .. }
                | Self::Protocol { .. }
                | Self::Exception(_)
                | Self::Server(_)
        )
    }
}

/// What a server says about something it did not do. `Debug` leaves the detail out.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerError {
    /// SQLSTATE, five characters. OpenSession's failures have none.
    pub sql_state: Option<String>,
    /// The server's own number.
    pub code: Option<i32>,
    /// The first line of what it says, without the stack trace that Spark appends.
    pub message: String,
    /// All that it says.
    pub detail: String,
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerError")
            .field("sql_state", &self.sql_state)
            .field("code", &self.code)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.sql_state {
            Some(state) => write!(f, " (SQLSTATE {state})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ServerError {}

impl ServerError {
    fn new(sql_state: Option<String>, code: Option<i32>, text: Option<String>) -> Self {
        let detail = text.unwrap_or_else(|| NO_REASON.to_owned());
        let sql_state = sql_state.filter(|state| !state.is_empty());
        Self {
            sql_state,
            code,
            message: first_line(&detail),
            detail,
        }
    }

    /// The error in the status of a call; the status must not be a success.
    pub(crate) fn of_status(status: Status) -> Self {
        // Some servers put the reason into the messages only. Those that begin with `*` are a flattened Java stack.
        let plain = |messages: Vec<String>| {
            messages
                .into_iter()
                .find(|message| !message.starts_with('*'))
        };
        let text = status
            .error_message
            .or_else(|| status.info_messages.and_then(plain));
        Self::new(status.sql_state, status.error_code, text)
    }

    /// The error of a failed operation.
    pub(crate) fn of_operation(answer: GetOperationStatusResp) -> Self {
        Self::new(answer.sql_state, answer.error_code, answer.error_message)
    }
}

/// The first line that says something, without the Java class before it. A line that ends in a colon goes on in the
/// next one; a stack trace's lines begin with `at`.
fn first_line(text: &str) -> String {
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("at "));
    let Some(first) = lines.next() else {
        return NO_REASON.to_owned();
    };
    let mut message = match first.split_once(": ") {
        Some((class, rest))
            if class.ends_with("Exception") && class.contains('.') && !class.contains(' ') =>
        {
            rest
        }
        _ => first,
    }
    .to_owned();
    if message.ends_with(':')
        && let Some(next) = lines.next()
    {
        message.push(' ');
        message.push_str(next);
    }
    message
}

const NO_REASON: &str = "the server gives no reason";

#[cfg(test)]
mod tests {
    use super::*;
    use hs2_proto::tcli::StatusCode;

    #[test]
    fn a_stack_trace_stays_out_of_the_message() {
        let text = "\nError running query: [TABLE_OR_VIEW_NOT_FOUND] nosuch\n\tat org.apache.X.y(X.scala:3)\n";
        let error = ServerError::of_status(Status::error("42P01", 0, text));
        assert_eq!(
            error.to_string(),
            "Error running query: [TABLE_OR_VIEW_NOT_FOUND] nosuch (SQLSTATE 42P01)"
        );
        assert_eq!(error.detail, text);
    }

    #[test]
    fn a_message_goes_on_where_its_first_line_ends_in_a_colon() {
        let text = "org.apache.hive.service.cli.HiveSQLException: Error running query: x.y.ParseException: \n[PARSE_SYNTAX_ERROR] Syntax error at or near 'SELEC'.\n\n== SQL ==\n";
        let message = ServerError::of_status(Status::error("42601", 0, text)).message;
        assert_eq!(
            message,
            "Error running query: x.y.ParseException: [PARSE_SYNTAX_ERROR] Syntax error at or near 'SELEC'."
        );
        assert_eq!(first_line("Error: \n\tat a.b.C"), "Error:");
        assert_eq!(first_line(" \n"), NO_REASON);
    }

    #[test]
    fn a_status_without_a_message_uses_its_plain_words() {
        let mut status = Status::error("", 0, "");
        status.error_message = None;
        status.info_messages = Some(vec![
            "*java.lang.X:y:1:1".to_owned(),
            "it is full".to_owned(),
        ]);
        let error = ServerError::of_status(status.clone());
        assert_eq!(
            (error.message.as_str(), error.sql_state),
            ("it is full", None)
        );
        status.info_messages = None;
        assert_eq!(status.status_code, StatusCode::ERROR);
        assert_eq!(
            ServerError::of_status(status).message,
            "the server gives no reason"
        );
    }
}
