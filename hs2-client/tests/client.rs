//! The client against scripted servers: what it asks, what it makes of the answers, and what it says when they are
//! wrong.
#![allow(clippy::unwrap_used)] // Helpers of tests, too, fail loudly.

mod support;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use hs2_client::tcli::*;
use hs2_client::{
    Auth, ConnectOptions, Connection, Error, ExecuteOptions, Session, SessionOptions, connect,
};
use hs2_proto::thrift::{ApplicationException, ExceptionKind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use support::{Login, OPERATION, Reply, Server, numbers as batch, ordinary, reply, rows, texts};
use tokio::time::{Instant, timeout};

const PLAIN: Login = Login::Plain { check: false };

fn options(login: Login) -> ConnectOptions {
    let auth = match login {
        Login::Plain { .. } => Auth::Plain {
            user: "scott".into(),
            password: "right".into(),
        },
        Login::None => Auth::NoSasl {
            user: "scott".into(),
        },
    };
    ConnectOptions {
        auth,
        ..Default::default()
    }
}

async fn session_with(server: &Server, options: &ConnectOptions) -> Session {
    let connection = Connection::connect("127.0.0.1", server.port(), options)
        .await
        .unwrap();
    Session::open(&connection, &options.auth, &SessionOptions::default())
        .await
        .unwrap()
}

async fn session(server: &Server) -> Session {
    session_with(server, &options(PLAIN)).await
}

async fn numbers(session: &Session) -> Result<Vec<i32>, Error> {
    let mut stream = session.query("SELECT n").await?;
    let mut numbers = Vec::new();
    while let Some(batch) = stream.next().await? {
        assert!(batch.num_rows() > 0);
        numbers.extend(batch.column(0).as_primitive::<Int32Type>().values().iter());
    }
    assert!(stream.next().await?.is_none(), "the end stays the end");
    Ok(numbers)
}

#[tokio::test]
async fn rows_come_over_both_kinds_of_login() {
    for login in [PLAIN, Login::None] {
        let server = Server::start(login, ordinary(vec![batch(0..3), batch(3..5)], false)).await;
        let session = session_with(&server, &options(login)).await;
        assert_eq!(session.protocol_version(), ProtocolVersion::V11);
        assert_eq!(numbers(&session).await.unwrap(), [0, 1, 2, 3, 4]);
        session.close().await.unwrap();
        let Request::OpenSession(open) = server.seen.lock().unwrap()[0].clone() else {
            panic!()
        };
        let user = (login == Login::None).then(|| "scott".to_owned());
        assert_eq!(open.username, user, "SASL names the user already");
        // Dropping the stream closed its operation; closing the session is said once.
        assert_eq!(
            (server.count("CloseOperation"), server.count("CloseSession")),
            (1, 1)
        );
    }
}

#[tokio::test]
async fn the_end_is_an_empty_batch_unless_the_server_tells_the_truth() {
    for (more, fetches) in [(false, 4), (true, 3)] {
        let batches = vec![batch(0..2), batch(2..4), batch(4..6)];
        let server = Server::start(PLAIN, ordinary(batches, more)).await;
        assert_eq!(
            numbers(&session(&server).await).await.unwrap(),
            [0, 1, 2, 3, 4, 5]
        );
        assert_eq!(
            server.count("FetchResults"),
            fetches,
            "hasMoreRows told: {more}"
        );
    }
}

#[tokio::test]
async fn a_refused_login_is_its_own_error() {
    let server = Server::start(Login::Plain { check: true }, |_, _| Reply::HangUp).await;
    let auth = Auth::Plain {
        user: "scott".into(),
        password: "wrong".into(),
    };
    let options = ConnectOptions {
        auth,
        ..Default::default()
    };
    let error = Connection::connect("127.0.0.1", server.port(), &options)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "127.0.0.1:{} refused the login of scott: Error validating the login",
            server.port()
        )
    );
    assert!(!error.is_worth_another_server());
}

#[tokio::test]
async fn empty_names_are_sent_as_anonymous() {
    let server = Server::start(Login::None, ordinary(vec![], false)).await;
    let options = ConnectOptions {
        auth: Auth::NoSasl {
            user: String::new(),
        },
        ..Default::default()
    };
    session_with(&server, &options).await;
    let Request::OpenSession(open) = server.seen.lock().unwrap()[0].clone() else {
        panic!()
    };
    assert_eq!(open.username.as_deref(), Some("anonymous"));
}

#[tokio::test]
async fn nobody_listening_and_nobody_answering() {
    let unused = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let error = Connection::connect("127.0.0.1", unused, &options(PLAIN))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    // A server without SASL waits for the rest of what it takes for a message.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let short = ConnectOptions {
        login_timeout: Duration::from_millis(50),
        ..options(PLAIN)
    };
    let port = silent.local_addr().unwrap().port();
    let error = Connection::connect("127.0.0.1", port, &short)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::LoginTimeout { .. }) && error.to_string().contains("NOSASL"),
        "{error}"
    );
}

#[tokio::test]
async fn a_client_without_sasl_is_told_that_the_server_has_it() {
    let server = Server::start(PLAIN, ordinary(vec![], false)).await;
    let options = options(Login::None);
    let connection = Connection::connect("127.0.0.1", server.port(), &options)
        .await
        .unwrap();
    let error = Session::open(&connection, &options.auth, &SessionOptions::default())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("connect without auth=noSasl"),
        "{error}"
    );
}

#[tokio::test]
async fn a_client_with_sasl_is_told_that_the_server_may_have_none() {
    // Such a server reads the login as a message with a very long name, and hangs up.
    let server = Server::start(Login::None, ordinary(vec![], false)).await;
    let error = Connection::connect("127.0.0.1", server.port(), &options(PLAIN))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("connect with auth=noSasl"),
        "{error}"
    );
}

#[tokio::test]
async fn an_old_server_is_asked_again_with_version_ten() {
    let inner = ordinary(vec![batch(0..1)], false);
    let server = Server::start(PLAIN, move |request, seqid| match request {
        Request::OpenSession(open) if open.client_protocol > ProtocolVersion::V10 => {
            let text = "Required field 'client_protocol' is unset!";
            let exception = ApplicationException::new(ExceptionKind::PROTOCOL_ERROR, text);
            let mut out = Vec::new();
            write_exception(&mut out, "OpenSession", seqid, &exception);
            Reply::Message(out)
        }
        request => inner(request, seqid),
    })
    .await;
    let session = session(&server).await;
    assert_eq!(session.protocol_version(), ProtocolVersion::V10);
    assert_eq!(numbers(&session).await.unwrap(), [0]);
}

#[tokio::test]
async fn a_session_that_does_not_open_says_why() {
    let server = Server::start(PLAIN, |_, seqid| {
        let status = Status::error(
            "",
            0,
            "Failed to open new session: Database nosuch does not exist\n\tat a.b.C",
        );
        reply::<OpenSessionReq>(
            seqid,
            &OpenSessionResp::failed(ProtocolVersion::V10, status),
        )
    })
    .await;
    let url = format!("127.0.0.1:{}", server.port());
    let error = connect(&url, &options(PLAIN), &SessionOptions::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Failed to open new session: Database nosuch does not exist"
    );
    assert_eq!(error.sql_state(), None);
}

/// A server whose GetOperationStatus gives these answers in turn, the last one for ever.
async fn with_states(states: Vec<GetOperationStatusResp>) -> Server {
    let inner = ordinary(vec![batch(0..1)], false);
    let asked = AtomicUsize::new(0);
    Server::start(PLAIN, move |request, seqid| match request {
        Request::GetOperationStatus(_) => {
            let index = asked.fetch_add(1, Ordering::Relaxed).min(states.len() - 1);
            reply::<GetOperationStatusReq>(seqid, &states[index])
        }
        request => inner(request, seqid),
    })
    .await
}

#[tokio::test]
async fn a_server_that_does_not_hold_its_answers_back_is_not_asked_in_a_hot_loop() {
    let running = GetOperationStatusResp::new(OperationState::RUNNING);
    let pending = GetOperationStatusResp::new(OperationState::PENDING);
    let mut states = vec![pending, running.clone(), running.clone(), running];
    states.push(GetOperationStatusResp::new(OperationState::FINISHED));
    let server = with_states(states).await;
    let begun = Instant::now();
    assert_eq!(numbers(&session(&server).await).await.unwrap(), [0]);
    assert!(
        begun.elapsed() >= Duration::from_millis(5 + 10 + 20 + 40),
        "each wait is twice the one before"
    );
    assert_eq!(server.count("GetOperationStatus"), 5);
}

#[tokio::test]
async fn the_ends_of_an_operation_that_are_no_success() {
    let mut failed = GetOperationStatusResp::new(OperationState::ERROR);
    failed.sql_state = Some("42S02".into());
    failed.error_code = Some(10001);
    failed.error_message = Some("Error running query: no table\n\tat x.Y.z(Y.java:1)".into());
    let mut cancelled = GetOperationStatusResp::new(OperationState::CANCELED);
    cancelled.error_message = Some("by the operator".into());
    let timed_out = GetOperationStatusResp::new(OperationState::TIMEDOUT);
    for (state, said) in [
        (failed, "Error running query: no table (SQLSTATE 42S02)"),
        (cancelled, "the operation was cancelled: by the operator"),
        (timed_out, "the statement ran into its time limit"),
    ] {
        let server = with_states(vec![state]).await;
        let error = numbers(&session(&server).await).await.unwrap_err();
        assert_eq!(error.to_string(), said);
        server.wait_for("CloseOperation", 1).await;
    }
}

#[tokio::test]
async fn a_failure_after_the_first_rows_is_an_error_of_the_stream() {
    let inner = ordinary(vec![batch(0..1)], false);
    let fetched = AtomicUsize::new(0);
    let server = Server::start(PLAIN, move |request, seqid| match request {
        Request::FetchResults(_) if fetched.fetch_add(1, Ordering::Relaxed) > 0 => {
            let status = Status::error("08S01", 1, "disk full");
            let mut out = Vec::new();
            let none = None::<fn(&mut Vec<u8>) -> Result<(), hs2_proto::rowset::RowSetError>>;
            write_fetch_reply(&mut out, seqid, &status, false, none).unwrap();
            Reply::Message(out)
        }
        request => inner(request, seqid),
    })
    .await;
    let session = session(&server).await;
    let mut stream = session.query("SELECT n").await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().num_rows(), 1);
    assert_eq!(stream.next().await.unwrap_err().sql_state(), Some("08S01"));
    assert!(stream.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_dropped_call_leaves_the_connection_in_step() {
    let inner = ordinary(vec![batch(0..1)], false);
    let slow = AtomicUsize::new(0);
    let server = Server::start(PLAIN, move |request, seqid| {
        match (request, inner(request, seqid)) {
            (Request::GetOperationStatus(_), Reply::Message(bytes))
                if slow.fetch_add(1, Ordering::Relaxed) == 0 =>
            {
                Reply::After(Duration::from_millis(150), bytes)
            }
            (_, reply) => reply,
        }
    })
    .await;
    let session = session(&server).await;
    let operation = session.execute("SELECT n").await.unwrap();
    assert!(
        timeout(Duration::from_millis(20), operation.status())
            .await
            .is_err(),
        "given up"
    );
    // Its answer comes first, and is not taken for the answer to this call.
    operation.cancel().await.unwrap();
    assert_eq!(
        operation.status().await.unwrap().operation_state,
        Some(OperationState::FINISHED)
    );
    operation.close().await.unwrap();
    assert_eq!(server.count("GetOperationStatus"), 2);
}

#[tokio::test]
async fn a_dropped_wait_for_rows_loses_none() {
    let served = AtomicUsize::new(0);
    let inner = ordinary(vec![batch(0..2)], false);
    let server = Server::start(PLAIN, move |request, seqid| match request {
        Request::FetchResults(_) => match served.fetch_add(1, Ordering::Relaxed) {
            index @ 0..4 => {
                let n = i32::try_from(index).unwrap();
                Reply::After(
                    Duration::from_millis(40),
                    rows(seqid, &batch(n..n + 1), false),
                )
            }
            _ => Reply::Message(rows(seqid, &batch([]), false)),
        },
        request => inner(request, seqid),
    })
    .await;
    let session = session(&server).await;
    let mut stream = session.query("SELECT n").await.unwrap();
    let (mut numbers, mut given_up) = (Vec::<i32>::new(), 0);
    loop {
        match timeout(Duration::from_millis(9), stream.next()).await {
            Ok(Ok(Some(batch))) => {
                numbers.extend(batch.column(0).as_primitive::<Int32Type>().values().iter())
            }
            Ok(Ok(None)) => break,
            Ok(Err(error)) => panic!("{error}"),
            Err(_) => given_up += 1,
        }
    }
    assert_eq!(numbers, [0, 1, 2, 3]);
    assert!(given_up > 4, "{given_up}");
}

#[tokio::test]
async fn a_missed_deadline_ends_the_connection_and_later_calls_say_so() {
    let inner = ordinary(vec![batch(0..1)], false);
    let server = Server::start(PLAIN, move |request, seqid| match request {
        Request::GetOperationStatus(_) => Reply::Never,
        request => inner(request, seqid),
    })
    .await;
    let short = ConnectOptions {
        call_timeout: Duration::from_millis(200),
        ..options(PLAIN)
    };
    let session = session_with(&server, &short).await;
    let operation = session.execute("SELECT n").await.unwrap();
    let error = operation.status().await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Timeout {
                method: "GetOperationStatus",
                ..
            }
        ),
        "{error}"
    );
    let error = operation.status().await.unwrap_err();
    assert!(
        matches!(&error, Error::Closed { reason, .. } if reason.contains("not answered in time")),
        "{error}"
    );
    assert!(matches!(
        session.execute("SELECT 1").await,
        Err(Error::Closed { .. })
    ));
}

#[tokio::test]
async fn a_server_that_hangs_up_is_an_error_of_this_call_and_of_all_after() {
    let inner = ordinary(vec![batch(0..1)], false);
    let server = Server::start(PLAIN, move |request, seqid| match request {
        Request::ExecuteStatement(_) => Reply::HangUp,
        request => inner(request, seqid),
    })
    .await;
    let session = session(&server).await;
    for _ in 0..2 {
        let error = session.execute("SELECT n").await.unwrap_err();
        assert!(
            matches!(&error, Error::Closed { reason, .. } if &**reason == "the server closed it"),
            "{error}"
        );
    }
    assert_eq!(server.count("ExecuteStatement"), 1, "nothing is sent twice");
}

#[tokio::test]
async fn an_answer_that_is_too_large_or_no_answer_ends_the_connection() {
    for (bytes, said) in [
        (
            vec![0; 5_000],
            "a frame of 5000 bytes was announced, 4096 are allowed",
        ),
        (
            b"rubbish".to_vec(),
            "the server's reply to ExecuteStatement cannot be read",
        ),
    ] {
        let inner = ordinary(vec![], false);
        let server = Server::start(PLAIN, move |request, seqid| match request {
            Request::ExecuteStatement(_) => Reply::Message(bytes.clone()),
            request => inner(request, seqid),
        })
        .await;
        let session = session_with(
            &server,
            &ConnectOptions {
                frame_bytes_max: 4096,
                ..options(PLAIN)
            },
        )
        .await;
        let error = session.execute("SELECT n").await.unwrap_err();
        assert!(
            matches!(&error, Error::Protocol { reason, .. } if reason.starts_with(said)),
            "{error}"
        );
        let error = session.execute("SELECT n").await.unwrap_err();
        assert!(
            matches!(&error, Error::Closed { reason, .. } if reason.starts_with(said)),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_unknown_method_leaves_the_connection_good() {
    let inner = ordinary(vec![batch(0..1)], false);
    let server = Server::start(PLAIN, move |request, seqid| match request {
        Request::GetTables(_) => {
            let mut out = Vec::new();
            let exception =
                ApplicationException::new(ExceptionKind::UNKNOWN_METHOD, "Invalid method name");
            write_exception(&mut out, "GetTables", seqid, &exception);
            Reply::Message(out)
        }
        request => inner(request, seqid),
    })
    .await;
    let session = session(&server).await;
    let tables = GetTablesReq {
        session_handle: session.handle(),
        catalog_name: None,
        schema_name: None,
        table_name: None,
        table_types: None,
    };
    let error = session.operation(tables).await.unwrap_err();
    assert!(matches!(error, Error::Exception(_)), "{error}");
    assert_eq!(numbers(&session).await.unwrap(), [0]);
}

#[tokio::test]
async fn logs_and_options_of_a_statement() {
    let inner = ordinary(vec![batch(0..1)], false);
    let server = Server::start(PLAIN, move |request, seqid| match request {
        Request::FetchResults(fetch) if fetch.fetch_type == Some(FetchResultsReq::LOG) => {
            let log = texts(&["INFO  : one", "INFO  : two"]);
            Reply::Message(rows(seqid, &log, false))
        }
        request => inner(request, seqid),
    })
    .await;
    let session = session(&server).await;
    let options = ExecuteOptions {
        confs: vec![("a".into(), "b".into())],
        time_limit: Some(Duration::from_millis(1_001)),
    };
    let operation = session.execute_with("SELECT n", &options).await.unwrap();
    assert_eq!(
        operation.logs().await.unwrap(),
        ["INFO  : one", "INFO  : two"]
    );
    operation.close().await.unwrap();
    let Request::ExecuteStatement(sent) = server.seen.lock().unwrap()[1].clone() else {
        panic!()
    };
    assert_eq!(
        (sent.query_timeout, sent.run_async),
        (Some(2), Some(true)),
        "rounded up"
    );
    assert_eq!(
        sent.conf_overlay.unwrap().get("a").map(String::as_str),
        Some("b")
    );
    assert_eq!(server.count("CloseOperation"), 1);
}

#[tokio::test]
async fn a_statement_without_rows_has_no_result_set() {
    let mut handle = OPERATION;
    handle.has_result_set = false;
    let inner = ordinary(vec![], false);
    let server = Server::start(PLAIN, move |request, seqid| match request {
        Request::ExecuteStatement(_) => {
            reply::<ExecuteStatementReq>(seqid, &HandleResp::started(handle))
        }
        request => inner(request, seqid),
    })
    .await;
    let session = session(&server).await;
    session
        .execute("CREATE TABLE t")
        .await
        .unwrap()
        .wait()
        .await
        .unwrap();
    assert!(matches!(
        session.query("CREATE TABLE t").await,
        Err(Error::NoResultSet)
    ));
}

#[tokio::test]
async fn dropping_everything_closes_it_on_the_server() {
    let server = Server::start(PLAIN, ordinary(vec![batch(0..1)], false)).await;
    let session = session(&server).await;
    let mut stream = session.query("SELECT n").await.unwrap();
    stream.next().await.unwrap();
    drop((stream, session));
    server.wait_for("CloseSession", 1).await;
    assert_eq!(server.count("CloseOperation"), 1);
}
