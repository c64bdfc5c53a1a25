//! The HTTP transport: each call a POST, on a connection that is kept and opened again when the server has closed it.

use super::{ReadError, Server, Stream};
use crate::error::Error;
use crate::options::{ANONYMOUS, Auth, ConnectOptions};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use hs2_proto::http::Cookies;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{self, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::fmt;
use std::pin::Pin;

type Channel = SendRequest<Full<Bytes>>;
type Exchange =
    Pin<Box<dyn Future<Output = (Box<Session>, Result<Bytes, ReadError>)> + Send + Sync>>;

/// A server that is spoken to by HTTP.
pub(crate) struct Http {
    state: State,
}

enum State {
    Idle(Box<Session>),
    /// A call was sent, or is about to be.
    Asked(Exchange),
    /// An exchange was taken and is not back.
    Gone,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").finish_non_exhaustive()
    }
}

/// What is kept from one call to the next.
struct Session {
    server: Server,
    options: ConnectOptions,
    path: String,
    authorization: HeaderValue,
    cookies: Cookies,
    channel: Option<Channel>,
}

impl Http {
    /// Takes a fresh connection. Who the client is, is shown with every call.
    pub(super) async fn open(
        stream: Stream,
        server: Server,
        path: &str,
        options: &ConnectOptions,
    ) -> Result<Self, Error> {
        let protocol = |reason: String| Error::Protocol {
            server: server.name(),
            reason,
        };
        let (user, password) = match &options.auth {
            Auth::Plain { user, password } => (user.as_str(), password.as_str()),
            Auth::NoSasl { user } => (user.as_str(), ""),
            #[cfg(feature = "gssapi")]
            Auth::Kerberos { .. } => {
                return Err(Error::Unsupported(super::NO_SPNEGO.to_owned()));
            }
        };
        let or_anonymous = |text: &str| if text.is_empty() { ANONYMOUS } else { text }.to_owned();
        let credentials = format!("{}:{}", or_anonymous(user), or_anonymous(password));
        let authorization = format!("Basic {}", BASE64_STANDARD.encode(credentials));
        let mut authorization =
            HeaderValue::try_from(authorization).map_err(|error| protocol(error.to_string()))?;
        authorization.set_sensitive(true);
        let path = format!("/{}", path.trim_matches('/'));
        let channel = shake_hands(stream)
            .await
            .map_err(|error| protocol(error.to_string()))?;
        let session = Session {
            server,
            options: options.clone(),
            path,
            authorization,
            cookies: Cookies::default(),
            channel: Some(channel),
        };
        Ok(Self {
            state: State::Idle(Box::new(session)),
        })
    }

    /// Prepares a call; it goes out as soon as its answer is awaited.
    pub(super) fn send(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> std::io::Result<()> {
        match std::mem::replace(&mut self.state, State::Gone) {
            State::Idle(session) => {
                let mut message = Vec::new();
                write(&mut message);
                self.state = State::Asked(Box::pin(session.exchange(message.into())));
                Ok(())
            }
            _ => Err(std::io::Error::other("a call is under way already")),
        }
    }

    /// The answer to the call that was sent; without one, it waits forever.
    pub(super) async fn receive(&mut self) -> Result<Bytes, ReadError> {
        let State::Asked(exchange) = &mut self.state else {
            return std::future::pending().await;
        };
        let (session, answer) = exchange.await;
        self.state = State::Idle(session);
        answer
    }
}

impl Session {
    async fn exchange(
        mut self: Box<Self>,
        message: Bytes,
    ) -> (Box<Self>, Result<Bytes, ReadError>) {
        let answer = self.ask(message).await;
        if answer.is_err() {
            // What is left of the answer is not read.
            self.channel = None;
        }
        (self, answer)
    }

    async fn ask(&mut self, message: Bytes) -> Result<Bytes, ReadError> {
        let mut request = self.request(message)?;
        let kept = match self.channel.take() {
            Some(channel) if !channel.is_closed() => Some(channel),
            _ => None,
        };
        if let Some(mut channel) = kept {
            let sent = match channel.ready().await {
                Ok(()) => channel.try_send_request(request).await,
                Err(_) => return self.ask_anew(request).await,
            };
            match sent {
                Ok(answer) => {
                    self.channel = Some(channel);
                    return self.read(answer).await;
                }
                // The server had closed it before a byte was sent: nothing is sent twice.
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(broken(&error.into_error())),
                },
            }
        }
        self.ask_anew(request).await
    }

    /// Asks over a connection of its own.
    async fn ask_anew(&mut self, request: Request<Full<Bytes>>) -> Result<Bytes, ReadError> {
        let stream = self.server.open(&self.options).await;
        let stream = stream.map_err(|error| ReadError::Io(std::io::Error::other(error)))?;
        let mut channel = shake_hands(stream).await.map_err(|error| broken(&error))?;
        let answer = channel.send_request(request).await;
        let answer = answer.map_err(|error| broken(&error))?;
        self.channel = Some(channel);
        self.read(answer).await
    }

    fn request(&self, message: Bytes) -> Result<Request<Full<Bytes>>, ReadError> {
        let mut request = Request::post(&self.path)
            .header(header::HOST, self.server.name())
            .header(header::CONTENT_TYPE, "application/x-thrift")
            .header(header::ACCEPT, "application/x-thrift")
            .header(
                header::USER_AGENT,
                concat!("hs2-client/", env!("CARGO_PKG_VERSION")),
            )
            .header(header::AUTHORIZATION, self.authorization.clone())
            .header("x-xsrf-header", "true");
        if let Some(cookies) = self.cookies.header() {
            request = request.header(header::COOKIE, cookies);
        }
        request
            .body(Full::from(message))
            .map_err(|error| ReadError::Protocol(format!("httpPath={}: {error}", self.path)))
    }

    async fn read(&mut self, answer: Response<Incoming>) -> Result<Bytes, ReadError> {
        let status = answer.status();
        for cookie in answer.headers().get_all(header::SET_COOKIE) {
            if let Ok(text) = cookie.to_str() {
                self.cookies.take(text, self.options.is_tls());
            }
        }
        let limit = if status == StatusCode::OK {
            self.options.frame_bytes_max
        } else {
            WORDS_BYTES_MAX
        };
        let body = whole(answer.into_body(), limit).await;
        if status == StatusCode::OK {
            return body;
        }
        let words = body.unwrap_or_default();
        let words = String::from_utf8_lossy(&words);
        let words = words.lines().next().unwrap_or_default().trim().to_owned();
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ReadError::Refused(words),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                ReadError::Busy(words)
            }
            StatusCode::NOT_FOUND => ReadError::Protocol(format!(
                "it has nothing at {} ({words}): check httpPath",
                self.path
            )),
            status => ReadError::Protocol(format!("HTTP status {status}: {words}")),
        })
    }
}

/// The words of an answer that is no reply.
const WORDS_BYTES_MAX: usize = 16 << 10;

async fn shake_hands(stream: Stream) -> Result<Channel, hyper::Error> {
    let (channel, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the channel, or with the server's side.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "an HTTP connection ended");
        }
    });
    Ok(channel)
}

/// A body as it comes: no length is believed.
async fn whole(mut body: Incoming, limit: usize) -> Result<Bytes, ReadError> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() else {
            continue;
        };
        if first.len() + all.len() + data.len() > limit {
            let text = format!("an answer of more than {limit} bytes, which is the limit");
            return Err(ReadError::Protocol(text));
        }
        if first.is_empty() && all.is_empty() {
            first = data;
        } else {
            all.extend_from_slice(&std::mem::take(&mut first));
            all.extend_from_slice(&data);
        }
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

fn broken(error: &hyper::Error) -> ReadError {
    use std::error::Error as _;
    if error.is_parse() {
        return ReadError::Protocol(format!("it does not answer by HTTP: {error}"));
    }
    let text = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    ReadError::Io(std::io::Error::other(text))
}
