//! Every other call, and handles.

use hs2_proto::rowset::{Cell, RowSet};
use hs2_proto::tcli::{
    CancelOperationReq, CloseOperationReq, CloseSessionReq, FetchOrientation, FetchResultsReq,
    GetCatalogsReq, GetColumnsReq, GetDelegationTokenReq, GetFunctionsReq, GetInfoReq, GetInfoType,
    GetInfoValue, GetOperationStatusReq, GetQueryIdReq, GetResultSetMetadataReq, GetTablesReq,
    GetTypeInfoReq, HandleId, JobExecutionStatus, OpenSessionReq, OperationState, OperationType,
    ProtocolVersion, ReplyError, SessionHandle, SetClientInfoReq, TypeEntry, TypeId, decode_reply,
};
use hs2_proto::thrift::ExceptionKind;
use tokio::io::AsyncWriteExt;

use super::Fixture;
use super::raw::{Raw, execute};

#[tokio::test]
async fn versions_are_negotiated_and_unknown_ones_clamped() {
    let fixture = Fixture::start().await;
    let mut raw = Raw::connect(fixture.node.address()).await;
    for (asked, given) in [(0, 0), (5, 5), (10, 10), (11, 10), (99, 10), (-1, 0)] {
        let opened = raw.open_session(ProtocolVersion(asked), &[]).await;
        assert_eq!(
            opened.server_protocol_version,
            ProtocolVersion(given),
            "{asked}"
        );
    }
}

#[tokio::test]
async fn what_a_session_is_opened_with_reaches_the_engine() {
    let fixture = Fixture::start().await;
    let mut raw = Raw::connect(fixture.node.address()).await;
    let pairs = [
        ("set:hiveconf:hive.exec.parallel", "true"),
        ("set:hivevar:x", "1"),
        ("use:database", "sales"),
        (
            "set:hiveconf:hive.server2.thrift.resultset.default.fetch.size",
            "77777",
        ),
    ];
    let opened = raw.open_session(ProtocolVersion::V10, &pairs).await;
    let configuration = opened.configuration.unwrap();
    let told: Vec<_> = configuration.iter().collect();
    let size = "10000".to_owned();
    assert_eq!(
        told,
        [("hive.server2.thrift.resultset.default.fetch.size", &size)]
    );
    let [options] = fixture.engine.opened().try_into().unwrap();
    assert_eq!(
        (options.user.as_str(), options.database.as_deref()),
        ("raw", Some("sales"))
    );
    assert_eq!(
        options.conf.get("hive.exec.parallel").map(String::as_str),
        Some("true")
    );
    assert_eq!(options.vars.get("x").map(String::as_str), Some("1"));

    let refused = raw
        .open_session(ProtocolVersion::V10, &[("use:database", "nowhere")])
        .await;
    assert_eq!(
        (refused.status.sql_state.as_deref(), refused.session_handle),
        (Some("42000"), None)
    );
    assert!(
        refused.configuration.is_some(),
        "drivers read it without looking"
    );
}

#[tokio::test]
async fn a_handle_is_good_on_any_connection_and_only_with_its_secret() {
    let fixture = Fixture::start().await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let mut other = Raw::connect(fixture.node.address()).await;
    let operation = other.start(session, "rows 3").await;
    assert!(
        raw.call(&GetQueryIdReq {
            operation_handle: operation
        })
        .await
        .query_id
        .starts_with("hs2_")
    );

    let mut forged = session;
    forged.session_id.secret[15] ^= 1;
    let refused = other.execute(forged, "rows 3", true).await.status;
    let id = session.session_id;
    assert_eq!(
        refused.error_message,
        Some(format!("Invalid SessionHandle: SessionHandle [{id}]"))
    );
    assert_eq!(refused.sql_state.as_deref(), Some("08003"));
    let mut forged = operation;
    forged.operation_id.secret[0] ^= 1;
    let refused = other
        .call(&CloseOperationReq {
            operation_handle: forged,
        })
        .await
        .status;
    assert_eq!(
        refused.error_message,
        Some(format!(
            "Invalid OperationHandle: OperationHandle [opType=EXECUTE_STATEMENT, getHandleIdentifier()={}]",
            operation.operation_id
        ))
    );

    let close = CloseOperationReq {
        operation_handle: operation,
    };
    assert!(other.call(&close).await.status.is_success());
    assert_eq!(
        other.call(&close).await.status.sql_state.as_deref(),
        Some("24000"),
        "it was open once"
    );
    let close = CloseSessionReq {
        session_handle: session,
    };
    assert!(other.call(&close).await.status.is_success());
    assert!(!other.call(&close).await.status.is_success());
    assert!(
        !raw.execute(session, "rows 3", true)
            .await
            .status
            .is_success()
    );
}

#[tokio::test]
async fn calls_in_the_wrong_order_and_with_handles_of_something_else_are_answered_with_words() {
    let fixture = Fixture::with("hs2.node.statement.size.max = 100").await;
    let mut raw = Raw::connect(fixture.node.address()).await;
    let made_up = HandleId {
        guid: [7; 16],
        secret: [7; 16],
    };
    let no_session = SessionHandle {
        session_id: made_up,
    };
    let refused = raw.execute(no_session, "rows 1", true).await;
    assert_eq!(refused.status.sql_state.as_deref(), Some("08003"));
    let (_other, foreign) = Raw::open(fixture.node.address()).await;
    let opened = raw.open_session(ProtocolVersion::V10, &[]).await;
    let session = opened.session_handle.unwrap();
    // Another session's secret, and an operation where a session is asked for.
    let operation = raw.query(session, "rows 3").await;
    let mixed = HandleId {
        guid: session.session_id.guid,
        secret: foreign.session_id.secret,
    };
    for session_id in [mixed, operation.operation_id] {
        let refused = raw
            .execute(SessionHandle { session_id }, "rows 1", true)
            .await;
        assert_eq!(refused.status.sql_state.as_deref(), Some("08003"));
    }
    let long = raw.execute(session, &"x".repeat(101), true).await.status;
    assert_eq!(long.sql_state.as_deref(), Some("54000"));

    // Before its end, a statement without rows has none; afterwards it has none either, which is no error.
    let ddl = raw.start(session, "ddl").await;
    assert_eq!(
        raw.fetch(ddl, 1).await.status.sql_state.as_deref(),
        Some("HY010")
    );
    fixture.engine.open_gate();
    raw.settled(ddl).await;
    assert_eq!(raw.fetch(ddl, 1).await.results.unwrap().rows, 0);
    let cancel = CancelOperationReq {
        operation_handle: operation,
    };
    while raw.status(operation).await.operation_completed.is_none() {}
    assert!(
        raw.call(&cancel).await.status.is_success(),
        "nothing to stop"
    );
    assert_eq!(raw.fetch(operation, 9).await.results.unwrap().rows, 3);
    let close = CloseOperationReq {
        operation_handle: operation,
    };
    assert!(raw.call(&close).await.status.is_success());
    let schema = GetResultSetMetadataReq {
        operation_handle: operation,
    };
    let states = [
        raw.call(&cancel).await.status.sql_state,
        raw.call(&schema).await.status.sql_state,
        raw.fetch(operation, 1).await.status.sql_state,
        raw.status(operation).await.status.sql_state,
    ];
    assert_eq!(
        states,
        [const { "24000" }; 4].map(|state| Some(state.to_owned()))
    );
    let close = CloseSessionReq {
        session_handle: session,
    };
    assert!(raw.call(&close).await.status.is_success());
    assert_eq!(
        raw.status(ddl).await.status.sql_state.as_deref(),
        Some("24000")
    );
    let answer = raw
        .call(&GetTypeInfoReq {
            session_handle: session,
        })
        .await;
    assert_eq!(answer.status.sql_state.as_deref(), Some("08003"));
}

#[tokio::test]
async fn unknown_methods_are_answered_and_the_connection_lives_on() {
    let fixture = Fixture::start().await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    // GetLog of old servers, with a struct that nobody knows.
    let call = b"\x80\x01\0\x01\0\0\0\x06GetLog\0\0\0\x07\x0c\0\x01\x08\0\x05\0\0\0\x01\0\0";
    raw.stream.write_all(call).await.unwrap();
    let answer = raw.message().await.unwrap();
    let Err(ReplyError::Exception(exception)) = decode_reply::<GetInfoReq>(&answer, 7) else {
        panic!("an exception")
    };
    assert_eq!(exception.kind, Some(ExceptionKind::UNKNOWN_METHOD));
    assert_eq!(
        exception.message.as_deref(),
        Some("Invalid method name: 'GetLog'")
    );
    assert!(
        raw.execute(session, "rows 1", true)
            .await
            .status
            .is_success()
    );
    // A known method with arguments that cannot be read.
    raw.stream
        .write_all(b"\x80\x01\0\x01\0\0\0\x07GetInfo\0\0\0\x08\0")
        .await
        .unwrap();
    let answer = raw.message().await.unwrap();
    assert!(matches!(
        decode_reply::<GetInfoReq>(&answer, 8),
        Err(ReplyError::Exception(_))
    ));
    assert!(
        raw.execute(session, "rows 1", true)
            .await
            .status
            .is_success()
    );
}

#[tokio::test]
async fn get_info_answers_every_type() {
    let fixture = Fixture::start().await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    for number in (0..120).chain(10_000..10_010).chain([-1, i32::MAX]) {
        let answer = raw
            .call(&GetInfoReq {
                session_handle: session,
                info_type: GetInfoType(number),
            })
            .await;
        assert!(answer.status.is_success(), "{number}");
        if number == GetInfoType::DBMS_VER.0 {
            assert_eq!(answer.info_value, GetInfoValue::String("1.0".to_owned()));
        }
    }
}

#[tokio::test]
async fn metadata_calls_are_finished_at_once_and_their_rows_are_fetched_as_usual() {
    let fixture = Fixture::start().await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let own = |text: &str| Some(text.to_owned());
    let tables = GetTablesReq {
        session_handle: session,
        catalog_name: None,
        schema_name: own("%"),
        table_name: own(".*"),
        table_types: None,
    };
    let columns = GetColumnsReq {
        session_handle: session,
        catalog_name: own(""),
        schema_name: None,
        table_name: own("T"),
        column_name: own("%"),
    };
    let functions = GetFunctionsReq {
        session_handle: session,
        catalog_name: None,
        schema_name: None,
        function_name: "%".to_owned(),
    };
    let made = [
        (raw.call(&tables).await, OperationType::GET_TABLES, 10, 1),
        (raw.call(&columns).await, OperationType::GET_COLUMNS, 23, 2),
        (
            raw.call(&functions).await,
            OperationType::GET_FUNCTIONS,
            6,
            0,
        ),
        (
            raw.call(&GetTypeInfoReq {
                session_handle: session,
            })
            .await,
            OperationType::GET_TYPE_INFO,
            18,
            23,
        ),
        (
            raw.call(&GetCatalogsReq {
                session_handle: session,
            })
            .await,
            OperationType::GET_CATALOGS,
            1,
            0,
        ),
    ];
    for (answer, kind, columns, rows) in made {
        let operation = answer.operation_handle.unwrap();
        assert_eq!(
            (operation.operation_type, operation.has_result_set),
            (kind, true)
        );
        let status = raw
            .call(&GetOperationStatusReq {
                operation_handle: operation,
                get_progress_update: None,
            })
            .await;
        assert_eq!(status.operation_state, Some(OperationState::FINISHED));
        let schema = raw
            .call(&GetResultSetMetadataReq {
                operation_handle: operation,
            })
            .await
            .schema
            .unwrap();
        assert_eq!(schema.columns.len(), columns, "{kind}");
        let results = raw.fetch(operation, 100).await.results.unwrap();
        assert_eq!(
            (results.rows, results.columns.len()),
            (rows, columns),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn the_schema_of_a_result_and_of_a_statement_without_one() {
    let fixture = Fixture::start().await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let query = raw.start(session, "rows 1").await;
    let schema = raw
        .call(&GetResultSetMetadataReq {
            operation_handle: query,
        })
        .await
        .schema
        .unwrap();
    let types = schema
        .columns
        .iter()
        .map(|column| match column.type_desc.types.as_slice() {
            [TypeEntry::Primitive(entry)] => (column.column_name.as_str(), entry.type_id),
            other => panic!("{other:?}"),
        });
    assert_eq!(
        types.collect::<Vec<_>>(),
        [("n", TypeId::INT), ("word", TypeId::STRING)]
    );
    let ddl = raw.start(session, "ddl").await;
    let answer = raw
        .call(&GetResultSetMetadataReq {
            operation_handle: ddl,
        })
        .await;
    assert!(answer.status.is_success() && answer.schema.unwrap().columns.is_empty());
}

#[tokio::test]
async fn the_log_of_an_operation_is_read_line_by_line() {
    let fixture = Fixture::start().await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let operation = raw.start(session, "rows 1").await;
    let log = |orientation| FetchResultsReq {
        operation_handle: operation,
        orientation,
        max_rows: 1000,
        fetch_type: Some(FetchResultsReq::LOG),
    };
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line| line != "INFO  : OK") {
        let rows = raw
            .call(&log(FetchOrientation::NEXT))
            .await
            .results
            .unwrap();
        assert_eq!(
            (rows.columns.len(), rows.start_row_offset),
            (1, i64::try_from(lines.len()).unwrap())
        );
        lines.extend(texts(&rows));
    }
    let id = raw
        .call(&GetQueryIdReq {
            operation_handle: operation,
        })
        .await
        .query_id;
    let patterns = [
        format!("INFO  : Compiling command(queryId={id}): rows 1"),
        format!("INFO  : Completed compiling command(queryId={id}); Time taken: "),
        format!("INFO  : Executing command(queryId={id}): rows 1"),
        format!("INFO  : Completed executing command(queryId={id}); Time taken: "),
        "INFO  : OK".to_owned(),
    ];
    assert_eq!(lines.len(), patterns.len(), "{lines:#?}");
    for (line, pattern) in lines.iter().zip(&patterns) {
        assert!(line.starts_with(pattern), "{line}");
    }
    assert!(lines[3].ends_with(" seconds; Rows: 1"), "{}", lines[3]);
    let lines = lines.len();
    assert_eq!(
        raw.call(&log(FetchOrientation::NEXT))
            .await
            .results
            .unwrap()
            .rows,
        0
    );
    assert_eq!(
        raw.call(&log(FetchOrientation::FIRST))
            .await
            .results
            .unwrap()
            .rows,
        lines
    );
    assert_eq!(
        raw.fetch(operation, 10).await.results.unwrap().rows,
        1,
        "rows are another matter"
    );

    let silent = Fixture::with("hive.server2.logging.operation.enabled = false").await;
    let (mut raw, session) = Raw::open(silent.node.address()).await;
    let operation = raw
        .execute(session, "rows 1", false)
        .await
        .operation_handle
        .unwrap();
    let log = FetchResultsReq {
        operation_handle: operation,
        ..log(FetchOrientation::NEXT)
    };
    assert_eq!(raw.call(&log).await.results.unwrap().rows, 0);
}

/// The lines of a log.
fn texts(rows: &RowSet) -> Vec<String> {
    let text = |cell| match cell {
        Cell::String(text) => String::from_utf8(text.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    };
    rows.columns[0].cells().map(text).collect()
}

#[tokio::test]
async fn progress_is_told_as_a_table_for_beeline_and_only_to_who_asks() {
    let fixture = Fixture::start().await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let operation = raw.start(session, "insert 7").await;
    let ask = |get_progress_update| GetOperationStatusReq {
        operation_handle: operation,
        get_progress_update,
    };
    let running = loop {
        let answer = raw.call(&ask(Some(true))).await;
        if answer.operation_state == Some(OperationState::RUNNING) {
            break answer;
        }
    };
    let table = running.progress_update_response.unwrap();
    assert_eq!(table.header_names.len(), 9);
    assert_eq!(
        table.rows[0].join("|"),
        "Map 1 ..........|embedded|SUCCEEDED|3|3|0|0|0|0"
    );
    assert_eq!(
        table.rows[1].join("|"),
        "Reducer 2 |embedded|INITED|3|0|0|3|0|0"
    );
    assert_eq!(
        (table.progressed_percentage, table.status),
        (0.5, JobExecutionStatus::IN_PROGRESS)
    );
    assert_eq!(table.footer_summary, "VERTICES: 01/02");
    assert_eq!(Some(table.start_time), running.operation_started);
    assert!(
        running
            .task_status
            .unwrap()
            .contains("\"taskId\":\"Map 1\"")
    );
    assert_eq!(running.num_modified_rows, Some(7));
    assert_eq!(raw.call(&ask(None)).await.progress_update_response, None);

    fixture.engine.open_gate();
    raw.settled(operation).await;
    let done = raw.call(&ask(Some(true))).await;
    let table = done.progress_update_response.unwrap();
    assert_eq!(
        (table.progressed_percentage, table.status),
        (1.0, JobExecutionStatus::COMPLETE)
    );
    assert!(done.operation_completed >= done.operation_started);

    let nothing = raw.query(session, "rows 1").await;
    let answer = raw
        .call(&GetOperationStatusReq {
            operation_handle: nothing,
            get_progress_update: Some(true),
        })
        .await;
    assert_eq!(
        answer.progress_update_response, None,
        "this engine does not tell"
    );
}

#[tokio::test]
async fn what_this_node_does_not_have_is_an_error_status_with_words() {
    let fixture = Fixture::start().await;
    let (mut raw, session) = Raw::open(fixture.node.address()).await;
    let token = GetDelegationTokenReq {
        session_handle: session,
        owner: "a".to_owned(),
        renewer: "b".to_owned(),
    };
    assert_eq!(
        raw.call(&token).await.status.sql_state.as_deref(),
        Some("0A000")
    );
    let info = SetClientInfoReq {
        session_handle: session,
        configuration: None,
    };
    assert!(raw.call(&info).await.status.is_success());
    // What a client says of itself is kept, but not without end.
    let told = |value: String| SetClientInfoReq {
        session_handle: session,
        configuration: Some([("ApplicationName", value)].into_iter().collect()),
    };
    let (name, flood) = (told("tableau".to_owned()), told("x".repeat(2 << 20)));
    assert!(raw.call(&name).await.status.is_success());
    let refused = raw.call(&flood).await.status;
    assert_eq!(refused.sql_state.as_deref(), Some("22001"));
}

#[tokio::test]
async fn what_a_session_is_opened_with_is_bounded() {
    let fixture = Fixture::start().await;
    let mut raw = Raw::connect(fixture.node.address()).await;
    let flood = "x".repeat(2 << 20);
    let configured = raw
        .open_session(ProtocolVersion::V10, &[("set:hivevar:x", &flood)])
        .await;
    let named = raw
        .call(&OpenSessionReq {
            client_protocol: ProtocolVersion::V10,
            username: Some(flood),
            password: None,
            configuration: None,
        })
        .await;
    for refused in [configured, named] {
        assert_eq!(refused.status.sql_state.as_deref(), Some("22001"));
    }
    let small = raw.open_session(ProtocolVersion::V10, &[]).await;
    assert!(small.status.is_success());
}

#[tokio::test]
async fn idle_sessions_are_closed_and_running_statements_keep_theirs() {
    let settings = "hive.server2.idle.session.timeout = 200ms\nhive.server2.session.check.interval = 100ms\n\
                    hive.server2.close.session.on.disconnect = false";
    let fixture = Fixture::with(settings).await;
    let (mut raw, busy) = Raw::open(fixture.node.address()).await;
    let (_idle, _session): (Raw, SessionHandle) = Raw::open(fixture.node.address()).await;
    raw.send(&execute(busy, "ddl", false)).await;
    super::until("the idle session is closed", || fixture.sessions() == 1).await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    assert_eq!((fixture.sessions(), fixture.engine.streams()), (1, 1));
    fixture.engine.open_gate();
    super::until("the other is idle now", || fixture.sessions() == 0).await;
}
