//! The HTTP transport: one call in the body of a POST, its reply in the body of the answer.
//!
//! Sessions belong to whoever has their handle, not to a connection: one that ends leaves them open, and the calls of
//! one session may come over several.

mod cookie;
mod patience;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use hs2_proto::http;
use hs2_proto::rowset::Pieces;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::time::{Instant, timeout};

use super::binary::End;
use super::stream::Stream;
use super::{Port, STALL_MAX, TurnedAway};
use crate::auth::LoginError;
use crate::service::Client;
use cookie::Cookies;
use patience::{Patient, Phase};

/// Bytes of a request's line and headers together.
const HEAD_BYTES_MAX: usize = 64 << 10;
const THRIFT: HeaderValue = HeaderValue::from_static("application/x-thrift");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const XSRF_HEADER: HeaderName = HeaderName::from_static("x-xsrf-header");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What all HTTP connections of a node share.
#[derive(Debug)]
pub(super) struct Http {
    cookies: Option<Cookies>,
    /// Of the endpoint, without slashes around it.
    path: String,
}

impl Http {
    pub(super) fn new(config: &crate::config::Config) -> Result<Self, getrandom::Error> {
        Ok(Self {
            cookies: Cookies::new(config)?,
            path: config.http_path.trim_matches('/').to_owned(),
        })
    }
}

/// Serves a connection to its end. With a `refusal`, that is the answer to its first request. The first request must be
/// there by the `deadline`.
pub(super) async fn serve(
    stream: Stream,
    peer: SocketAddr,
    port: &Port,
    refusal: Option<TurnedAway>,
    deadline: Instant,
) -> Result<(), End> {
    let config = &port.service.config;
    let phase = Phase::new(deadline);
    let patient = Patient::new(stream, phase.clone(), config.login_timeout);
    let connection = Connection {
        port,
        peer,
        refusal,
        phase,
    };
    let connection = &connection;
    let service = service_fn(|request| async move {
        connection.phase.busy();
        let answered = connection.answer(request).await;
        connection.phase.answered(config.http_idle_time);
        Ok::<_, Infallible>(answered)
    });
    let served = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(HEAD_BYTES_MAX)
        .keep_alive(connection.refusal.is_none())
        // Who is turned away hears why, although it has nothing more to say.
        .half_close(connection.refusal.is_some())
        .serve_connection(TokioIo::new(patient), service)
        .await;
    if let Some(TurnedAway::Full(text) | TurnedAway::Wrong(text)) = &connection.refusal {
        return Err(End::Refused(text.clone()));
    }
    match served {
        Ok(()) => Ok(()),
        // A client that dies is no error of this node's.
        Err(error) if error.is_incomplete_message() || error.is_canceled() => Ok(()),
        Err(error) => Err(End::Http(describe(&error))),
    }
}

/// An error and what it came from.
fn describe(error: &hyper::Error) -> String {
    use std::error::Error;
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

struct Connection<'a> {
    port: &'a Port,
    peer: SocketAddr,
    refusal: Option<TurnedAway>,
    phase: Phase,
}

/// An answer without a reply: what happened, in words.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    text: String,
    header: Option<(HeaderName, &'static str)>,
}

impl Refusal {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
            header: None,
        }
    }

    fn unauthorized(text: &str) -> Self {
        let header = (header::WWW_AUTHENTICATE, "Basic realm=\"HiveServer2\"");
        Self {
            header: Some(header),
            ..Self::new(
                StatusCode::UNAUTHORIZED,
                format!("Authentication Error: {text}"),
            )
        }
    }

    /// Another time, or another node. Clients that know the header come back by themselves.
    fn busy(text: impl Into<String>) -> Self {
        Self {
            header: Some((header::RETRY_AFTER, "1")),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
        }
    }

    fn answer(self) -> Response<Full<Pieces>> {
        let mut answer = Response::new(Full::new(Pieces::from((self.text + "\n").into_bytes())));
        *answer.status_mut() = self.status;
        let headers = answer.headers_mut();
        headers.insert(header::CONTENT_TYPE, TEXT);
        if let Some((name, value)) = self.header {
            headers.insert(name, HeaderValue::from_static(value));
        }
        // What is left of the request is not read.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        answer
    }
}

/// Who makes a request, and what to tell them so that they need not show it again.
struct Identity {
    user: Option<String>,
    set_cookie: Option<HeaderValue>,
}

impl Connection<'_> {
    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Pieces>> {
        match self.reply(request).await {
            Ok(reply) => reply,
            Err(refusal) => {
                let status = refusal.status.as_u16();
                tracing::debug!(peer = %self.peer, status, text = refusal.text, "request refused");
                refusal.answer()
            }
        }
    }

    async fn reply(&self, request: Request<Incoming>) -> Result<Response<Full<Pieces>>, Refusal> {
        match &self.refusal {
            None => {}
            Some(TurnedAway::Full(text)) => return Err(Refusal::busy(text)),
            Some(TurnedAway::Wrong(text)) => {
                return Err(Refusal::new(StatusCode::BAD_REQUEST, text));
            }
        }
        let config = &self.port.service.config;
        let (head, body) = request.into_parts();
        if head.uri.path().trim_matches('/') != self.port.http.path {
            let text = format!(
                "this HiveServer2 is at /{}: connect with httpPath={0}",
                self.port.http.path
            );
            return Err(Refusal::new(StatusCode::NOT_FOUND, text));
        }
        if head.method != Method::POST {
            let text = "this is a HiveServer2: connect with transportMode=http";
            return Err(Refusal {
                header: Some((header::ALLOW, "POST")),
                ..Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text)
            });
        }
        if config.xsrf_filter && !head.headers.contains_key(XSRF_HEADER) {
            let text = "the header X-XSRF-HEADER is missing (hive.server2.xsrf.filter.enabled)";
            return Err(Refusal::new(StatusCode::FORBIDDEN, text));
        }
        let identity = self.identify(&head.headers).await?;
        let mut client = Client::new(self.peer, identity.user);
        client.do_as = head.uri.query().and_then(http::do_as);
        if let Some(forwarded) = head.headers.get(FORWARDED_FOR) {
            let forwarded = http::forwarded_for(forwarded.as_bytes());
            tracing::debug!(peer = %self.peer, forwarded, "a request by a proxy");
            client.forwarded = Some(forwarded);
        }
        let mut share = self.port.budget.share();
        let message = self.body(body, &mut share).await?;
        let reply = self.port.service.call(&client, &message).await;
        drop((message, share));
        let reply =
            reply.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        let mut answer = Response::new(Full::new(reply));
        answer.headers_mut().insert(header::CONTENT_TYPE, THRIFT);
        if let Some(cookie) = identity.set_cookie {
            answer.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        Ok(answer)
    }

    /// Who it is: by the cookie, or else by name and password.
    async fn identify(&self, headers: &HeaderMap) -> Result<Identity, Refusal> {
        let cookies = self.port.http.cookies.as_ref();
        let shown = headers.get_all(header::COOKIE);
        let mut shown = shown.iter().filter_map(|header| header.to_str().ok());
        let by_cookie = cookies.and_then(|cookies| shown.find_map(|text| cookies.user(text)));
        if let Some(user) = by_cookie {
            return Ok(Identity {
                user: Some(user),
                set_cookie: None,
            });
        }
        let Some(authorization) = headers.get(header::AUTHORIZATION) else {
            // Whoever shows a cookie that is too old has a name, and is to show it again.
            if self.port.logins.are_checked() || headers.contains_key(header::COOKIE) {
                let text = "Authorization header received from the client is empty.";
                return Err(Refusal::unauthorized(text));
            }
            return Ok(Identity {
                user: None,
                set_cookie: None,
            });
        };
        let (user, password) = basic(authorization.as_bytes())
            .ok_or_else(|| Refusal::unauthorized("Basic with user and password is expected"))?;
        let checked = self.port.logins.check_again(&user, &password, self.peer);
        checked.await.map_err(|error| match error {
            LoginError::Refused => Refusal::unauthorized(&error.to_string()),
            LoginError::Unavailable(_) => Refusal::busy("the password cannot be checked now"),
        })?;
        let set_cookie = cookies.and_then(|cookies| cookies.make(&user));
        Ok(Identity {
            user: Some(user),
            set_cookie: set_cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()),
        })
    }

    /// A request's body, as it comes: no length is believed.
    async fn body(
        &self,
        mut body: Incoming,
        share: &mut super::budget::Share,
    ) -> Result<Bytes, Refusal> {
        use hyper::body::Body;
        let limit = self.port.service.config.message_bytes_max;
        let too_large = |bytes: u64| {
            let text = format!("a message of {bytes} bytes or more, {limit} are allowed");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
        };
        let announced = body.size_hint().lower();
        if announced > limit as u64 {
            return Err(too_large(announced));
        }
        let mut message = BytesMut::new();
        loop {
            let frame = timeout(STALL_MAX, body.frame()).await;
            let frame = frame.map_err(|_| {
                Refusal::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "the request stopped in its middle",
                )
            })?;
            let Some(frame) = frame else {
                return Ok(message.freeze());
            };
            let frame =
                frame.map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string()))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if message.len() + data.len() > limit {
                return Err(too_large((message.len() + data.len()) as u64));
            }
            message.extend_from_slice(&data);
            let covered = share.cover(message.capacity());
            covered.map_err(|spent| Refusal::busy(spent.to_string()))?;
        }
    }
}

/// Name and password of `Basic`, which may be empty.
fn basic(authorization: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(authorization).ok()?;
    let (scheme, credentials) = text.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let credentials = BASE64_STANDARD.decode(credentials.trim()).ok()?;
    let credentials = String::from_utf8(credentials).ok()?;
    let (user, password) = credentials.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}
