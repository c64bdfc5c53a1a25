//! A scripted server: it logs clients in as told and answers each request with what the script makes of it.
#![allow(dead_code, unreachable_pub)] // Each test file uses its part.
#![allow(clippy::unwrap_used)] // Helpers of tests, too, fail loudly.

use arrow_array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use bytes::{Bytes, BytesMut};
use hs2_proto::rowset::arrow::{encode_batch, table_schema};
use hs2_proto::rowset::write_row_set;
use hs2_proto::sasl::{Negotiation, Plain, SaslStatus, take_frame, write_frame, write_negotiation};
use hs2_proto::tcli::*;
use hs2_proto::thrift::MessageScanner;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the script answers.
pub enum Reply {
    /// These bytes, a whole message.
    Message(Vec<u8>),
    /// These bytes after a while.
    After(Duration, Vec<u8>),
    /// These bytes when it has become true.
    When(Arc<AtomicBool>, Vec<u8>),
    /// Nothing.
    Never,
    /// The end of the connection.
    HangUp,
}

type Script = Arc<dyn Fn(&Request, i32) -> Reply + Send + Sync>;

/// How the server takes logins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// SASL PLAIN; the password is `right`, or none is looked at.
    Plain { check: bool },
    /// No SASL.
    None,
}

#[derive(Clone)]
pub struct Server {
    pub address: SocketAddr,
    /// All requests that came, in their order.
    pub seen: Arc<Mutex<Vec<Request>>>,
    /// Connections that were taken.
    pub connections: Arc<AtomicUsize>,
    refuses: Arc<AtomicBool>,
}

impl Server {
    pub async fn start(
        login: Login,
        script: impl Fn(&Request, i32) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            connections: Arc::default(),
            refuses: Arc::default(),
        };
        let (seen, script): (_, Script) = (Arc::clone(&server.seen), Arc::new(script));
        let connections = Arc::clone(&server.connections);
        let refuses = Arc::clone(&server.refuses);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if refuses.load(Ordering::Relaxed) {
                    continue;
                }
                connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, login, Arc::clone(&script), Arc::clone(&seen)));
            }
        });
        server
    }

    /// Hangs up on every connection that comes from now on.
    pub fn refuse(&self) {
        self.refuses.store(true, Ordering::Relaxed);
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Names of the methods that were called, in their order.
    pub fn methods(&self) -> Vec<&'static str> {
        self.seen
            .lock()
            .unwrap()
            .iter()
            .map(Request::method)
            .collect()
    }

    pub fn count(&self, method: &str) -> usize {
        self.methods()
            .iter()
            .filter(|name| **name == method)
            .count()
    }

    /// Waits until a method has been called so many times.
    pub async fn wait_for(&self, method: &str, times: usize) {
        let waiting = async {
            while self.count(method) < times {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(10), waiting).await;
        waited.unwrap_or_else(|_| {
            panic!(
                "{method} was not called {times} times: {:?}",
                self.methods()
            )
        });
    }
}

async fn serve(
    mut stream: TcpStream,
    login: Login,
    script: Script,
    seen: Arc<Mutex<Vec<Request>>>,
) -> Option<()> {
    let mut buffer = BytesMut::new();
    if let Login::Plain { check } = login {
        let _mechanism = negotiation(&mut stream, &mut buffer).await?;
        let response = negotiation(&mut stream, &mut buffer).await?;
        let plain = Plain::parse(&response.payload).ok()?;
        let mut out = Vec::new();
        if check && plain.password != "right" {
            write_negotiation(&mut out, SaslStatus::Bad, b"Error validating the login");
            stream.write_all(&out).await.ok()?;
            return None;
        }
        write_negotiation(&mut out, SaslStatus::Complete, b"");
        stream.write_all(&out).await.ok()?;
    }
    loop {
        let message = message(&mut stream, &mut buffer, login).await?;
        let call = match decode_call(&message) {
            Ok(call) => call,
            Err(error) => {
                send(&mut stream, login, error.answer()?).await?;
                continue;
            }
        };
        seen.lock().unwrap().push(call.request.clone());
        match script(&call.request, call.seqid) {
            Reply::Message(bytes) => send(&mut stream, login, bytes).await?,
            Reply::After(wait, bytes) => {
                tokio::time::sleep(wait).await;
                send(&mut stream, login, bytes).await?;
            }
            Reply::When(truth, bytes) => {
                while !truth.load(Ordering::Relaxed) {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                send(&mut stream, login, bytes).await?;
            }
            Reply::Never => {}
            Reply::HangUp => return None,
        }
    }
}

async fn negotiation(stream: &mut TcpStream, buffer: &mut BytesMut) -> Option<Negotiation> {
    loop {
        match Negotiation::take(buffer, 1024) {
            Ok(Some(frame)) => return Some(frame),
            Ok(None) if stream.read_buf(buffer).await.ok()? > 0 => {}
            Ok(None) => return None,
            Err(error) => {
                let mut out = Vec::new();
                write_negotiation(&mut out, SaslStatus::Error, error.to_string().as_bytes());
                stream.write_all(&out).await.ok()?;
                return None;
            }
        }
    }
}

async fn message(stream: &mut TcpStream, buffer: &mut BytesMut, login: Login) -> Option<Bytes> {
    let mut scanner = MessageScanner::new(1 << 20);
    loop {
        let message = match login {
            Login::Plain { .. } => take_frame(buffer, 1 << 20).ok()?,
            Login::None => scanner
                .scan(buffer)
                .ok()?
                .map(|length| buffer.split_to(length).freeze()),
        };
        match message {
            Some(message) => return Some(message),
            None if stream.read_buf(buffer).await.ok()? > 0 => {}
            None => return None,
        }
    }
}

async fn send(stream: &mut TcpStream, login: Login, message: Vec<u8>) -> Option<()> {
    let mut out = Vec::new();
    match login {
        Login::Plain { .. } => {
            write_frame(&mut out, |out| out.extend_from_slice(&message)).unwrap()
        }
        Login::None => out = message,
    }
    stream.write_all(&out).await.ok()
}

pub const ID: HandleId = HandleId {
    guid: [7; 16],
    secret: [8; 16],
};
pub const SESSION: SessionHandle = SessionHandle { session_id: ID };
pub const OPERATION: OperationHandle = OperationHandle {
    operation_id: ID,
    operation_type: OperationType::EXECUTE_STATEMENT,
    has_result_set: true,
    modified_row_count: None,
};

/// A whole reply to call `C`.
pub fn reply<C: Call<Reply: hs2_proto::thrift::Encode>>(seqid: i32, reply: &C::Reply) -> Reply {
    let mut out = Vec::new();
    write_reply::<C>(&mut out, seqid, reply);
    Reply::Message(out)
}

/// What an ordinary server says: sessions open, statements begin and are finished, everything closes. Fetches give
/// `batches` one after another and then nothing, with `more` as `hasMoreRows` of each batch but the last.
pub fn ordinary(
    batches: Vec<RecordBatch>,
    more: bool,
) -> impl Fn(&Request, i32) -> Reply + Send + Sync {
    let served = Mutex::new(0);
    move |request, seqid| match request {
        Request::OpenSession(open) => {
            let version = ProtocolVersion::V11.negotiate(open.client_protocol);
            reply::<OpenSessionReq>(
                seqid,
                &OpenSessionResp::opened(version, SESSION, Default::default()),
            )
        }
        Request::CloseSession(_) => reply::<CloseSessionReq>(
            seqid,
            &StatusResp {
                status: Status::SUCCESS,
            },
        ),
        Request::ExecuteStatement(_) => {
            reply::<ExecuteStatementReq>(seqid, &HandleResp::started(OPERATION))
        }
        Request::GetOperationStatus(_) => reply::<GetOperationStatusReq>(
            seqid,
            &GetOperationStatusResp::new(OperationState::FINISHED),
        ),
        Request::GetResultSetMetadata(_) => {
            let schema = batches
                .first()
                .map(|batch| table_schema(&batch.schema(), ProtocolVersion::V11).unwrap());
            reply::<GetResultSetMetadataReq>(
                seqid,
                &GetResultSetMetadataResp {
                    status: Status::SUCCESS,
                    schema,
                },
            )
        }
        Request::FetchResults(_) => {
            let mut served = served.lock().unwrap();
            let index = *served;
            *served += 1;
            let batch = match batches.get(index) {
                Some(batch) => batch.clone(),
                None => batches[0].slice(0, 0),
            };
            Reply::Message(rows(seqid, &batch, more && index + 1 < batches.len()))
        }
        Request::CancelOperation(_) => reply::<CancelOperationReq>(
            seqid,
            &StatusResp {
                status: Status::SUCCESS,
            },
        ),
        Request::CloseOperation(_) => reply::<CloseOperationReq>(
            seqid,
            &StatusResp {
                status: Status::SUCCESS,
            },
        ),
        other => panic!("an ordinary server is not asked {}", other.method()),
    }
}

/// A FetchResults reply.
pub fn rows(seqid: i32, batch: &RecordBatch, more: bool) -> Vec<u8> {
    let wire = encode_batch(batch).unwrap();
    let columns = wire.slice(0..wire.rows).unwrap();
    let layout = ProtocolVersion::V11.row_set_layout();
    let mut out = Vec::new();
    let write = |out: &mut Vec<u8>| write_row_set(out, 0, wire.rows, &columns, layout);
    write_fetch_reply(&mut out, seqid, &Status::SUCCESS, more, Some(write)).unwrap();
    out
}

/// One column of numbers.
pub fn numbers(numbers: impl IntoIterator<Item = i32>) -> RecordBatch {
    let array: ArrayRef = Arc::new(numbers.into_iter().collect::<Int32Array>());
    RecordBatch::try_from_iter_with_nullable([("n", array, true)]).unwrap()
}

/// One column of texts, as a log has it.
pub fn texts(texts: &[&str]) -> RecordBatch {
    let array: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    RecordBatch::try_from_iter([("operation_log", array)]).unwrap()
}
