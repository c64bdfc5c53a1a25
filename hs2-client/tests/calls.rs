//! The calls beside queries: what is asked of the server, and what older servers that lack a call mean.
#![allow(clippy::unwrap_used)] // Helpers of tests, too, fail loudly.

mod support;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use hs2_client::tcli::*;
use hs2_client::{
    ColumnPattern, ConnectOptions, Session, SessionOptions, TableName, TablePattern, TimeUnit,
    connect,
};
use hs2_proto::rowset::RowSetError;
use hs2_proto::thrift::{ApplicationException, ExceptionKind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{Login, OPERATION, Reply, SESSION, Server, numbers, ordinary, reply, rows, texts};

async fn session(server: &Server, options: &SessionOptions) -> Session {
    let url = format!("127.0.0.1:{}", server.port());
    connect(&url, &ConnectOptions::default(), options)
        .await
        .unwrap()
}

async fn start(script: impl Fn(&Request, i32) -> Reply + Send + Sync + 'static) -> Server {
    Server::start(Login::Plain { check: false }, script).await
}

fn handle<C: Call<Reply = HandleResp>>(seqid: i32) -> Reply {
    reply::<C>(seqid, &HandleResp::started(OPERATION))
}

#[tokio::test]
async fn metadata_calls_ask_what_they_are_told() {
    let inner = Mutex::new(Vec::new());
    let server = start(move |request, seqid| match request {
        Request::GetCatalogs(_) => handle::<GetCatalogsReq>(seqid),
        Request::GetSchemas(_) => handle::<GetSchemasReq>(seqid),
        Request::GetTables(_) => handle::<GetTablesReq>(seqid),
        Request::GetTableTypes(_) => handle::<GetTableTypesReq>(seqid),
        Request::GetColumns(_) => handle::<GetColumnsReq>(seqid),
        Request::GetFunctions(_) => handle::<GetFunctionsReq>(seqid),
        Request::GetTypeInfo(_) => handle::<GetTypeInfoReq>(seqid),
        Request::GetPrimaryKeys(_) => handle::<GetPrimaryKeysReq>(seqid),
        Request::GetCrossReference(_) => handle::<GetCrossReferenceReq>(seqid),
        Request::GetInfo(info) => reply::<GetInfoReq>(
            seqid,
            &GetInfoResp {
                status: Status::SUCCESS,
                info_value: GetInfoValue::String(info.info_type.to_string()),
            },
        ),
        request => {
            // A result of its own for each.
            let mut scripts = inner.lock().unwrap();
            if scripts.is_empty() || matches!(request, Request::CloseOperation(_)) {
                scripts.push(ordinary(vec![texts(&["one"])], true));
            }
            scripts.last().unwrap()(request, seqid)
        }
    })
    .await;
    let session = session(&server, &SessionOptions::default()).await;
    let some = |text: &str| Some(text.to_owned());
    let tables = TablePattern {
        schema: some("sales"),
        table: some("o%"),
        types: vec!["TABLE".into()],
        ..Default::default()
    };
    let columns = ColumnPattern {
        table: some(r"my\_table"),
        column: some("%"),
        ..Default::default()
    };
    let table = TableName {
        schema: some("sales"),
        table: some("orders"),
        ..Default::default()
    };
    let other = TableName {
        table: some("items"),
        ..Default::default()
    };
    for stream in [
        session.catalogs().await,
        session.schemas(Some("s%")).await,
        session.tables(&tables).await,
        session.table_types().await,
        session.columns(&columns).await,
        session.functions("%").await,
        session.type_info().await,
        session.primary_keys(&table).await,
        session.cross_reference(&table, &other).await,
    ] {
        let batches = stream.unwrap().collect().await.unwrap();
        let found: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(found, 1);
    }
    assert_eq!(
        session.server_version().await.unwrap(),
        ("CLI_DBMS_NAME".to_owned(), "CLI_DBMS_VER".to_owned())
    );
    assert_eq!(server.count("CloseOperation"), 9);
    let seen = server.seen.lock().unwrap().clone();
    let asked = |request: Request| assert!(seen.contains(&request), "{request:?}");
    asked(Request::GetTables(GetTablesReq {
        session_handle: SESSION,
        catalog_name: None,
        schema_name: some("sales"),
        table_name: some("o%"),
        table_types: Some(vec!["TABLE".into()]),
    }));
    asked(Request::GetColumns(GetColumnsReq {
        session_handle: SESSION,
        catalog_name: None,
        schema_name: None,
        table_name: some(r"my\_table"),
        column_name: some("%"),
    }));
    asked(Request::GetCrossReference(GetCrossReferenceReq {
        session_handle: SESSION,
        parent_catalog_name: None,
        parent_schema_name: some("sales"),
        parent_table_name: some("orders"),
        foreign_catalog_name: None,
        foreign_schema_name: None,
        foreign_table_name: some("items"),
    }));
}

#[tokio::test]
async fn a_session_begins_with_settings_variables_and_the_user_to_act_for() {
    let server = start(ordinary(vec![], false)).await;
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let options = SessionOptions {
        database: Some("sales".into()),
        confs: vec![pair("a", "1")],
        vars: vec![pair("v", "2")],
        proxy_user: Some("you".into()),
        ..Default::default()
    };
    session(&server, &options).await;
    let Request::OpenSession(open) = server.seen.lock().unwrap()[0].clone() else {
        panic!()
    };
    let configuration = open.configuration.unwrap();
    for (name, value) in [
        ("set:hiveconf:a", "1"),
        ("set:hivevar:v", "2"),
        ("hive.server2.proxy.user", "you"),
    ] {
        assert_eq!(configuration.get(name).map(String::as_str), Some(value));
    }
}

#[tokio::test]
async fn query_id_client_info_and_changed_rows_where_the_server_has_them() {
    for knows in [true, false] {
        let inner = ordinary(vec![numbers(0..1)], false);
        let server = start(move |request, seqid| match request {
            Request::GetQueryId(_) | Request::SetClientInfo(_) if !knows => {
                let exception =
                    ApplicationException::new(ExceptionKind::UNKNOWN_METHOD, "Invalid method name");
                let mut out = Vec::new();
                write_exception(&mut out, request.method(), seqid, &exception);
                Reply::Message(out)
            }
            Request::GetQueryId(_) => reply::<GetQueryIdReq>(
                seqid,
                &GetQueryIdResp {
                    query_id: "hive_1".into(),
                },
            ),
            Request::SetClientInfo(_) => reply::<SetClientInfoReq>(
                seqid,
                &StatusResp {
                    status: Status::SUCCESS,
                },
            ),
            Request::GetOperationStatus(_) => {
                let mut answer = GetOperationStatusResp::new(OperationState::FINISHED);
                answer.num_modified_rows = Some(if knows { 7 } else { -1 });
                reply::<GetOperationStatusReq>(seqid, &answer)
            }
            request => inner(request, seqid),
        })
        .await;
        let session = session(&server, &SessionOptions::default()).await;
        let operation = session.execute("SELECT n").await.unwrap();
        let expected = knows.then(|| "hive_1".to_owned());
        assert_eq!(operation.query_id().await.unwrap(), expected);
        let info = [("ApplicationName".to_owned(), "tests".to_owned())];
        assert_eq!(session.set_client_info(info).await.unwrap(), knows);
        let changed = session.run("INSERT INTO t SELECT 1").await.unwrap();
        assert_eq!(changed, knows.then_some(7));
    }
}

#[tokio::test]
async fn a_result_is_read_again_from_its_first_row() {
    let at = AtomicUsize::new(0);
    let inner = ordinary(vec![numbers(0..1)], false);
    let server = start(move |request, seqid| match request {
        Request::FetchResults(fetch) => {
            if fetch.orientation == FetchOrientation::FIRST {
                at.store(0, Ordering::Relaxed);
            }
            let batch = match at.fetch_add(1, Ordering::Relaxed) {
                n @ 0..3 => numbers([i32::try_from(n).unwrap()]),
                _ => numbers([]),
            };
            Reply::Message(rows(seqid, &batch, false))
        }
        request => inner(request, seqid),
    })
    .await;
    let session = session(&server, &SessionOptions::default()).await;
    let mut stream = session.query("SELECT n").await.unwrap();
    for read in [1, 3, 2] {
        let mut seen = Vec::<i32>::new();
        while let Some(batch) = stream.next().await.unwrap() {
            seen.extend(batch.column(0).as_primitive::<Int32Type>().values().iter());
            if seen.len() == read {
                break;
            }
        }
        assert_eq!(seen, [0, 1, 2][..read]);
        stream.rewind();
    }
    assert_eq!(stream.collect().await.unwrap().len(), 3);
}

#[tokio::test]
async fn wide_rows_are_asked_for_in_smaller_numbers() {
    let wide = "x".repeat(10_000);
    let rows = texts(&[wide.as_str(); 10]);
    let server = start(ordinary(vec![rows.clone(), rows], false)).await;
    let options = SessionOptions {
        fetch_rows: 1_000,
        fetch_bytes: 100_000,
        ..Default::default()
    };
    let stream = session(&server, &options).await.query("SELECT n").await;
    stream.unwrap().collect().await.unwrap();
    let seen = server.seen.lock().unwrap();
    let asked: Vec<_> = seen
        .iter()
        .filter_map(|request| match request {
            Request::FetchResults(fetch) => Some(fetch.max_rows),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [1_000, 9, 9]);
}

/// Eight columns of three rows, the last NULL, as the Python library of Apache Thrift 0.23 writes them in its compact
/// protocol from the `TColumn`s of the service's own definition.
const COMPACT: &str = "1c193101020118010400002c193301ff0018010400003c1934d804d7040018010400004c1935e0c508dfc508\
    0018010400005c193680c8afa025ffc7afa0250018010400006c1937000000000000e03f9c7500883ce437fe000000000000000018010400\
    007c193807c599c3a164656b000018010400008c19380200ff00001801040000";

#[tokio::test]
async fn columns_that_the_servers_tasks_have_serialised() {
    let hex: Vec<u8> = COMPACT.bytes().filter(u8::is_ascii_hexdigit).collect();
    let blob: Vec<u8> = hex
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let types = [
        TypeId::BOOLEAN,
        TypeId::TINYINT,
        TypeId::SMALLINT,
        TypeId::INT,
        TypeId::BIGINT,
        TypeId::DOUBLE,
        TypeId::STRING,
        TypeId::BINARY,
    ];
    let inner = ordinary(vec![numbers(0..1)], false);
    let fetched = AtomicUsize::new(0);
    let server = start(move |request, seqid| match request {
        Request::GetResultSetMetadata(_) => {
            let column = |(position, type_id)| ColumnDesc::new("c", position, type_id, None);
            let columns = (1..).zip(types).map(column).collect();
            reply::<GetResultSetMetadataReq>(
                seqid,
                &GetResultSetMetadataResp {
                    status: Status::SUCCESS,
                    schema: Some(TableSchema { columns }),
                },
            )
        }
        Request::FetchResults(_) if fetched.fetch_add(1, Ordering::Relaxed) == 0 => {
            let write = |out: &mut Vec<u8>| -> Result<(), RowSetError> {
                // startRowOffset 0, no rows, binaryColumns, columnCount 8.
                out.extend([10, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
                out.extend([15, 0, 2, 12, 0, 0, 0, 0]);
                out.extend([11, 0, 4]);
                out.extend(u32::try_from(blob.len()).unwrap().to_be_bytes());
                out.extend(&blob);
                out.extend([8, 0, 5, 0, 0, 0, 8, 0]);
                Ok(())
            };
            let mut out = Vec::new();
            write_fetch_reply(&mut out, seqid, &Status::SUCCESS, false, Some(write)).unwrap();
            Reply::Message(out)
        }
        Request::FetchResults(_) => Reply::Message(rows(seqid, &numbers([]), false)),
        request => inner(request, seqid),
    })
    .await;
    let options = SessionOptions {
        timestamp_unit: TimeUnit::Nanosecond,
        ..Default::default()
    };
    let session = session(&server, &options).await;
    let stream = session.query("SELECT n").await.unwrap();
    let batches = stream.collect().await.unwrap();
    let [batch] = &batches[..] else { panic!() };
    let shown: Vec<_> = batch.columns().iter().map(|c| format!("{c:?}")).collect();
    for (text, first, second) in [
        (&shown[0], "true", "false"),
        (&shown[1], "1", "-1"),
        (&shown[2], "300", "-300"),
        (&shown[3], "70000", "-70000"),
        (&shown[4], "5000000000", "-5000000000"),
        (&shown[5], "0.5", "-1e300"),
        (&shown[6], "\"řádek\"", "\"\""),
        (&shown[7], "[0, 255]", "[]"),
    ] {
        let values = text.split_once('[').unwrap().1;
        let values: Vec<_> = values
            .lines()
            .map(|line| line.trim_matches([' ', ',']))
            .collect();
        assert_eq!(values[1..4], [first, second, "null"], "{text}");
    }
}
