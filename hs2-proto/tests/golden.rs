//! The bytes of real clients and servers, decoded to fields and, where we write such messages, encoded again byte
//! for byte. `golden/frames.json` says of each where it was captured.

#![allow(clippy::unwrap_used)] // Helpers of tests, too, fail loudly.

use bytes::{Bytes, BytesMut};
use hs2_proto::rowset::{Cell, ColumnKind, RowSet, RowSetLayout, write_row_set};
use hs2_proto::sasl::{Negotiation, Plain, SaslStatus, take_frame, write_frame, write_negotiation};
use hs2_proto::tcli::*;
use hs2_proto::thrift::{
    Encode, ExceptionKind, MessageHeader, MessageKind, Reader, message_length,
};
use serde_json::Value as Json;
use std::collections::BTreeSet;

const FILE: &str = include_str!("golden/frames.json");

struct Vector {
    name: String,
    framing: String,
    method: Option<(String, String, i32)>,
    bytes: Vec<u8>,
}

fn vectors() -> Vec<Vector> {
    let file: Json = serde_json::from_str(FILE).unwrap();
    let text = |json: &Json| json.as_str().unwrap().to_owned();
    let hex = |hex: &str| {
        (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect()
    };
    file["vectors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| Vector {
            name: text(&v["name"]),
            framing: text(&v["framing"]),
            method: v.get("decoded").map(|d| {
                (
                    text(&d["method"]),
                    text(&d["type"]),
                    i32::try_from(d["seqid"].as_i64().unwrap()).unwrap(),
                )
            }),
            bytes: hex(v["hex"].as_str().unwrap()),
        })
        .collect()
}

/// The message inside a vector's framing.
fn message(vector: &Vector) -> Bytes {
    if vector.framing.starts_with("sasl-frame") {
        let mut buffer = BytesMut::from(&vector.bytes[..]);
        let frame = take_frame(&mut buffer, 1 << 20).unwrap().unwrap();
        assert!(buffer.is_empty());
        frame
    } else {
        vector.bytes.clone().into()
    }
}

fn bytes_of(name: &str) -> Bytes {
    message(
        vectors()
            .iter()
            .find(|vector| vector.name == name)
            .unwrap_or_else(|| panic!("no vector {name}")),
    )
}

fn request(name: &str) -> Request {
    decode_call(&bytes_of(name)).unwrap().request
}

fn reply<C: Call>(name: &str) -> C::Reply {
    let message = bytes_of(name);
    let seqid = MessageHeader::read(&mut Reader::new(&message))
        .unwrap()
        .seqid;
    decode_reply::<C>(&message, seqid).unwrap()
}

fn again<C: Call<Reply: Encode>>(message: &Bytes, seqid: i32) -> Vec<u8> {
    let mut out = Vec::new();
    write_reply::<C>(&mut out, seqid, &decode_reply::<C>(message, seqid).unwrap());
    out
}

/// Spark sends no bitmap at all where nothing is NULL; the blob is made by tasks. We send neither.
const NOT_OURS: [&str; 4] = [
    "fetch_reply_three_columns",
    "fetch_reply_end",
    "fetch_reply_binary_columns_blob",
    "nonstrict_opensession_call",
];

fn fetch_again(message: &Bytes, seqid: i32) -> Vec<u8> {
    let reply = decode_reply::<FetchResultsReq>(message, seqid).unwrap();
    let rows = reply.results.unwrap();
    let columns: Vec<_> = rows
        .columns
        .iter()
        .map(|column| column.as_slice())
        .collect();
    // The rows' own list says how they came; it is the second field of the row set.
    let layout = if message.windows(4).any(|w| w == [15, 0, 3, 12]) {
        RowSetLayout::Columnar
    } else {
        RowSetLayout::RowBased
    };
    let mut out = Vec::new();
    let write =
        |out: &mut Vec<u8>| write_row_set(out, rows.start_row_offset, rows.rows, &columns, layout);
    write_fetch_reply(
        &mut out,
        seqid,
        &reply.status,
        reply.has_more_rows.unwrap(),
        Some(write),
    )
    .unwrap();
    out
}

#[test]
fn every_message_is_decoded_and_encoded_again_byte_for_byte() {
    let mut seen = BTreeSet::new();
    for vector in vectors() {
        let Some((method, kind, seqid)) = &vector.method else {
            continue;
        };
        let message = message(&vector);
        assert_eq!(
            message_length(&message, message.len()),
            Ok(Some(message.len())),
            "{}",
            vector.name
        );
        let header = MessageHeader::read(&mut Reader::new(&message)).unwrap();
        assert_eq!(
            (&header.method, header.seqid),
            (method, *seqid),
            "{}",
            vector.name
        );
        let again = match (kind.as_str(), method.as_str()) {
            ("CALL", _) => match decode_call(&message) {
                Ok(call) => {
                    assert_eq!(call.request.method(), method);
                    let mut out = Vec::new();
                    call.request.write(&mut out, call.seqid);
                    out
                }
                Err(CallError::UnknownMethod { .. }) => {
                    assert!(matches!(method.as_str(), "GetLog" | "CloseImpalaOperation"));
                    continue;
                }
                Err(error) => panic!("{}: {error}", vector.name),
            },
            ("EXC", _) => {
                let Err(ReplyError::Exception(exception)) =
                    decode_reply::<OpenSessionReq>(&message, *seqid)
                else {
                    panic!("{} is no exception", vector.name)
                };
                let mut out = Vec::new();
                write_exception(&mut out, method, *seqid, &exception);
                out
            }
            (_, "OpenSession") => again::<OpenSessionReq>(&message, *seqid),
            (_, "CloseSession") => again::<CloseSessionReq>(&message, *seqid),
            (_, "GetInfo") => again::<GetInfoReq>(&message, *seqid),
            (_, "ExecuteStatement") => again::<ExecuteStatementReq>(&message, *seqid),
            (_, "GetOperationStatus") => again::<GetOperationStatusReq>(&message, *seqid),
            (_, "CancelOperation") => again::<CancelOperationReq>(&message, *seqid),
            (_, "CloseOperation") => again::<CloseOperationReq>(&message, *seqid),
            (_, "GetResultSetMetadata") => again::<GetResultSetMetadataReq>(&message, *seqid),
            (_, "FetchResults") => fetch_again(&message, *seqid),
            (_, other) => panic!("no reply type for {other}"),
        };
        if NOT_OURS.contains(&vector.name.as_str()) {
            assert_ne!(
                again,
                &message[..],
                "{} can be written: take it off the list",
                vector.name
            );
        } else {
            assert_eq!(again, &message[..], "{}", vector.name);
            if vector.framing.starts_with("sasl-frame") {
                let mut framed = Vec::new();
                write_frame(&mut framed, |out| out.extend_from_slice(&again)).unwrap();
                assert_eq!(framed, vector.bytes);
            }
        }
        seen.insert(vector.name);
    }
    assert_eq!(
        seen.len(),
        55,
        "vectors with a message that the service knows"
    );
}

#[test]
fn negotiation_frames() {
    let mut count = 0;
    for vector in vectors()
        .iter()
        .filter(|vector| vector.framing.starts_with("sasl-negotiation"))
    {
        let frame = Negotiation::take(&mut BytesMut::from(&vector.bytes[..]), 1024)
            .unwrap()
            .unwrap();
        let mut again = Vec::new();
        write_negotiation(&mut again, frame.status, &frame.payload);
        assert_eq!(again, vector.bytes, "{}", vector.name);
        let plain = || Plain::parse(&frame.payload).unwrap();
        match vector.name.as_str() {
            "sasl_start_plain" => assert_eq!(
                (frame.status, &frame.payload[..]),
                (SaslStatus::Start, &b"PLAIN"[..])
            ),
            "sasl_plain_response_java" => {
                assert_eq!(frame.status, SaslStatus::Complete);
                assert_eq!(
                    (plain().user, plain().password),
                    ("scott".into(), "tiger".into())
                );
            }
            "sasl_plain_response_python" => assert_eq!(
                (frame.status, plain().user),
                (SaslStatus::Ok, "scott".into())
            ),
            "sasl_plain_response_pyhive_none" => assert_eq!(plain().password, "x"),
            "sasl_complete_empty" => assert_eq!(
                (frame.status, frame.payload.len()),
                (SaslStatus::Complete, 0)
            ),
            "sasl_error_raw_thrift_on_sasl_port" => {
                assert_eq!(frame.status, SaslStatus::Error);
                let ours = Negotiation::take(&mut BytesMut::from(&b"\x80"[..]), 1024).unwrap_err();
                assert_eq!(
                    &frame.payload[..],
                    ours.to_string().as_bytes(),
                    "we say what real servers say"
                );
            }
            _ => assert_eq!(frame.status, SaslStatus::Bad),
        }
        count += 1;
    }
    assert_eq!(count, 8);
}

#[test]
fn sessions_are_opened_in_four_ways() {
    let Request::OpenSession(jdbc) = request("opensession_call_jdbc_239") else {
        panic!()
    };
    assert_eq!(
        (jdbc.client_protocol, jdbc.username),
        (ProtocolVersion::V10, None)
    );
    let configuration = jdbc.configuration.unwrap();
    assert_eq!(
        configuration.get("use:database").map(String::as_str),
        Some("default")
    );
    assert_eq!(
        configuration.iter().next(),
        Some(("set:hiveconf:spark.sql.shuffle.partitions", &"3".to_owned()))
    );
    let Request::OpenSession(pyhive) = request("opensession_call_pyhive") else {
        panic!()
    };
    assert_eq!(
        (pyhive.client_protocol, pyhive.username.as_deref()),
        (ProtocolVersion::V6, Some("scott"))
    );
    let Request::OpenSession(impyla) = request("opensession_call_impyla") else {
        panic!()
    };
    assert_eq!(impyla.configuration, None);
    let Request::OpenSession(nosasl) = request("nosasl_opensession_call") else {
        panic!()
    };
    assert_eq!(
        (nosasl.username.as_deref(), nosasl.password.as_deref()),
        (Some("hive"), Some("hive"))
    );
    let Request::OpenSession(old) = request("nonstrict_opensession_call") else {
        panic!()
    };
    assert_eq!(old.username.as_deref(), Some("hive"));

    let opened = reply::<OpenSessionReq>("opensession_reply_v10");
    assert_eq!(opened.server_protocol_version, ProtocolVersion::V10);
    assert_eq!(
        opened.session_handle.unwrap().session_id.to_string(),
        "acab9690-b902-43e5-8d8a-969ab1e55695"
    );
    assert_eq!(opened.configuration.unwrap().0, []);
    let failed = reply::<OpenSessionReq>("opensession_reply_error");
    assert_eq!(
        (failed.status.status_code, failed.session_handle),
        (StatusCode::ERROR, None)
    );
    let message = failed.status.error_message.unwrap();
    assert_eq!(
        message,
        "Failed to open new session: Database nosuch does not exist"
    );
    let echoed = reply::<OpenSessionReq>("opensession_reply_hive_with_fetchsize")
        .configuration
        .unwrap();
    assert_eq!(
        echoed
            .get("hive.server2.thrift.resultset.default.fetch.size")
            .map(String::as_str),
        Some("1000")
    );
}

#[test]
fn facts_about_the_server() {
    let Request::GetInfo(name) = request("getinfo_call_dbms_name") else {
        panic!()
    };
    assert_eq!(name.info_type, GetInfoType::DBMS_NAME);
    let Request::GetInfo(version) = request("getinfo_call_dbms_ver") else {
        panic!()
    };
    assert_eq!(version.info_type, GetInfoType::DBMS_VER);
    let value = |name| reply::<GetInfoReq>(name).info_value;
    assert_eq!(
        value("getinfo_reply_dbms_name"),
        GetInfoValue::String("Spark SQL".into())
    );
    assert_eq!(
        value("getinfo_reply_dbms_ver"),
        GetInfoValue::String("3.5.6".into())
    );
}

#[test]
fn statements_and_their_failures() {
    let Request::ExecuteStatement(jdbc) = request("execute_call_jdbc_async") else {
        panic!()
    };
    assert_eq!(
        (jdbc.run_async, jdbc.query_timeout, jdbc.conf_overlay),
        (Some(true), Some(0), Some(Default::default()))
    );
    let Request::ExecuteStatement(pyhive) = request("execute_call_pyhive_sync_use") else {
        panic!()
    };
    assert_eq!(
        (pyhive.statement.as_str(), pyhive.run_async),
        ("USE `default`", Some(false))
    );
    let Request::ExecuteStatement(impyla) = request("execute_call_impyla_async") else {
        panic!()
    };
    assert_eq!((impyla.conf_overlay, impyla.query_timeout), (None, None));
    let handle = reply::<ExecuteStatementReq>("execute_reply_handle")
        .operation_handle
        .unwrap();
    assert_eq!(handle.operation_type, OperationType::EXECUTE_STATEMENT);
    assert!(handle.has_result_set && handle.modified_row_count.is_none());

    let hive = reply::<ExecuteStatementReq>("execute_reply_error_hive_style");
    assert_eq!(hive.operation_handle, None);
    assert_eq!(
        (hive.status.sql_state.as_deref(), hive.status.error_code),
        (Some("42S02"), Some(10001))
    );
    assert!(
        hive.status.info_messages.unwrap()[0]
            .starts_with("*org.apache.hive.service.cli.HiveSQLException:")
    );
    let hive4 = reply::<ExecuteStatementReq>("execute_reply_error_hive4_style").status;
    assert_eq!(
        hive4.info_messages.unwrap(),
        ["Server-side error; please check HS2 logs."]
    );
    let invalid = reply::<ExecuteStatementReq>("invalid_session_handle_reply").status;
    let text = "Invalid SessionHandle: SessionHandle [00010203-0405-0607-0809-0a0b0c0d0e0f]";
    assert_eq!(
        (invalid.status_code, invalid.error_message.as_deref()),
        (StatusCode::ERROR, Some(text))
    );
}

#[test]
fn states_of_an_operation() {
    let Request::GetOperationStatus(jdbc) = request("status_call_with_progress") else {
        panic!()
    };
    assert_eq!(jdbc.get_progress_update, Some(true));
    let Request::GetOperationStatus(impyla) = request("status_call_without_progress") else {
        panic!()
    };
    assert_eq!(impyla.get_progress_update, None);
    let state = |name| reply::<GetOperationStatusReq>(name);
    assert_eq!(
        state("status_reply_running"),
        GetOperationStatusResp::new(OperationState::RUNNING)
    );
    assert_eq!(
        state("status_reply_finished_minimal"),
        GetOperationStatusResp::new(OperationState::FINISHED)
    );
    assert_eq!(
        state("status_reply_canceled").operation_state,
        Some(OperationState::CANCELED)
    );
    let error = state("status_reply_error");
    assert!(error.status.is_success());
    assert_eq!(
        (error.operation_state, error.error_code),
        (Some(OperationState::ERROR), Some(40000))
    );
    assert_eq!(
        error.error_message.as_deref(),
        Some("Error while processing statement")
    );
    let full = state("status_reply_full_with_progress");
    assert_eq!(
        (full.task_status.as_deref(), full.has_result_set),
        (Some("[]"), Some(true))
    );
    let progress = full.progress_update_response.unwrap();
    assert_eq!(
        (progress.header_names.len(), progress.rows[0].len()),
        (9, 9)
    );
    assert_eq!(
        (progress.progressed_percentage, progress.status),
        (0.25, JobExecutionStatus::IN_PROGRESS)
    );

    assert!(matches!(
        request("cancel_call"),
        Request::CancelOperation(_)
    ));
    assert!(matches!(
        request("closeoperation_call"),
        Request::CloseOperation(_)
    ));
    assert!(matches!(
        request("closesession_call"),
        Request::CloseSession(_)
    ));
    assert_eq!(
        reply::<CancelOperationReq>("cancel_reply").status,
        Status::SUCCESS
    );
    assert_eq!(
        reply::<CloseOperationReq>("closeoperation_reply").status,
        Status::SUCCESS
    );
    assert_eq!(
        reply::<CloseSessionReq>("closesession_reply").status,
        Status::SUCCESS
    );
}

#[test]
fn patterns_of_catalog_calls() {
    let Request::GetSchemas(schemas) = request("getschemas_call_impyla") else {
        panic!()
    };
    assert_eq!(
        (schemas.catalog_name, schemas.schema_name.as_deref()),
        (None, Some(".*"))
    );
    let Request::GetTables(tables) = request("gettables_call_impyla") else {
        panic!()
    };
    assert_eq!(
        (tables.table_name.as_deref(), tables.table_types),
        (Some(".*"), None)
    );
}

#[test]
fn methods_of_other_servers_get_the_answer_their_clients_wait_for() {
    for (call, answer) in [
        ("getlog_call_legacy", "getlog_reply_unknown_method"),
        ("closeimpala_call", "closeimpala_reply_unknown_method"),
    ] {
        let error = decode_call(&bytes_of(call)).unwrap_err();
        assert_eq!(error.answer().unwrap(), &bytes_of(answer)[..], "{call}");
    }
    let Err(ReplyError::Exception(exception)) =
        decode_reply::<OpenSessionReq>(&bytes_of("exception_protocol_error"), 7)
    else {
        panic!()
    };
    assert_eq!(exception.kind, Some(ExceptionKind::PROTOCOL_ERROR));
    assert_eq!(
        exception.message.as_deref(),
        Some("Required field 'client_protocol' is unset!")
    );
}

#[test]
fn schemas() {
    let types = |name| -> Vec<_> {
        let schema = reply::<GetResultSetMetadataReq>(name).schema.unwrap();
        schema
            .columns
            .iter()
            .map(|c| {
                (
                    c.column_name.clone(),
                    c.primitive().unwrap().type_id,
                    c.position,
                )
            })
            .collect()
    };
    let spark = types("metadata_reply_int_decimal_string");
    let expected = [
        ("a".into(), TypeId::INT, 0),
        ("b".into(), TypeId::DECIMAL, 1),
        ("c".into(), TypeId::STRING, 2),
    ];
    assert_eq!(spark, expected);
    let all: Vec<_> = types("metadata_reply_all_types")
        .into_iter()
        .map(|(_, id, _)| id.0)
        .collect();
    assert_eq!(all, [0, 1, 2, 3, 4, 5, 6, 7, 9, 15, 8, 17]);
    assert_eq!(types("gettables_metadata_reply").len(), 10);

    let hive = reply::<GetResultSetMetadataReq>("metadata_reply_hive_style")
        .schema
        .unwrap()
        .columns;
    let number = |column: usize, key| {
        hive[column]
            .primitive()
            .unwrap()
            .type_qualifiers
            .as_ref()
            .unwrap()
            .number(key)
    };
    assert_eq!(
        number(0, TypeQualifiers::CHARACTER_MAXIMUM_LENGTH),
        Some(20)
    );
    assert_eq!(
        (
            number(2, TypeQualifiers::PRECISION),
            number(2, TypeQualifiers::SCALE)
        ),
        (Some(38), Some(10))
    );
    assert_eq!(hive[2].comment.as_deref(), Some("money"));
    assert_eq!(hive[3].primitive().unwrap().type_qualifiers, None);
    let ids: Vec<_> = hive
        .iter()
        .map(|c| c.primitive().unwrap().type_id.0)
        .collect();
    assert_eq!(ids, [18, 19, 15, 10, 11, 12, 20, 21]);
}

fn rows(name: &str) -> RowSet {
    reply::<FetchResultsReq>(name).results.unwrap()
}

fn cells(rows: &RowSet) -> Vec<Vec<Cell<'_>>> {
    rows.columns
        .iter()
        .map(|column| column.cells().collect())
        .collect()
}

#[test]
fn fetch_requests() {
    let fetch = |name| match request(name) {
        Request::FetchResults(fetch) => (fetch.orientation, fetch.max_rows, fetch.fetch_type),
        _ => panic!(),
    };
    assert_eq!(
        fetch("fetch_call_results_jdbc"),
        (FetchOrientation::NEXT, 1000, None)
    );
    assert_eq!(
        fetch("fetch_call_results_pyhive"),
        (FetchOrientation::NEXT, 1000, Some(FetchResultsReq::ROWS))
    );
    assert_eq!(
        fetch("fetch_call_logs"),
        (FetchOrientation::NEXT, 1000, Some(FetchResultsReq::LOG))
    );
    assert!(matches!(
        request("metadata_call"),
        Request::GetResultSetMetadata(_)
    ));
}

#[test]
fn columnar_rows() {
    use Cell::{I32, Null, String};
    let three = rows("fetch_reply_three_columns");
    let expected = [
        vec![I32(1), I32(2)],
        vec![String(b"1.50"), Null],
        vec![String(b"x"), Null],
    ];
    assert_eq!(cells(&three), expected);
    assert_eq!(
        three.columns[0].nulls().len(),
        0,
        "Spark leaves the bitmap out"
    );
    let end = rows("fetch_reply_end");
    assert_eq!(
        (end.start_row_offset, end.rows, end.columns.len()),
        (2, 0, 3)
    );
    let ten = rows("fetch_reply_ten_rows_null_bitmap");
    let nulls: Vec<_> = (0..10).filter(|row| ten.columns[0].is_null(*row)).collect();
    assert_eq!(nulls, [0, 2, 9]);
    let log = rows("fetch_reply_log_lines");
    assert_eq!(cells(&log)[0][1], String(b"INFO  : OK"));
    assert_eq!(rows("fetch_reply_logs_empty").rows, 0);
    let blob = rows("fetch_reply_binary_columns_blob");
    assert_eq!(
        cells(&blob),
        [vec![I32(1), I32(2)], vec![String(b"x"), Null]]
    );
}

#[test]
fn both_layouts_hold_the_same_values() {
    use Cell::*;
    let columnar = rows("fetch_reply_columnar_all_kinds_with_nulls");
    let expected = [
        Bool(true),
        Byte(1),
        I16(2),
        I32(3),
        I64(4),
        Double(5.5),
        Double(6.25),
        String(b"seven"),
        Binary(b"8b"),
        String(b"9.50"),
        String(b"2024-01-02 03:04:05.123"),
        String(b"2024-02-29"),
    ];
    assert_eq!(cells(&columnar), expected.map(|first| vec![first, Null]));
    let row_based = rows("fetch_reply_row_based_all_kinds_with_nulls");
    let as_string = |cell| {
        if let Binary(bytes) = cell {
            String(bytes)
        } else {
            cell
        }
    };
    assert_eq!(
        cells(&row_based),
        expected.map(|first| vec![as_string(first), Null])
    );
    assert_eq!(
        row_based.columns[8].kind(),
        ColumnKind::String,
        "V5 has no binary"
    );
    let end = rows("fetch_reply_row_based_end");
    assert_eq!((end.rows, end.columns.len()), (0, 0));

    // The columns of the one written as rows give the bytes of the other, but for its header.
    let slices: Vec<_> = columnar
        .columns
        .iter()
        .map(|column| column.as_slice())
        .collect();
    let mut out = Vec::new();
    write_row_set(&mut out, 0, 2, &slices, RowSetLayout::RowBased).unwrap();
    assert!(
        bytes_of("fetch_reply_row_based_all_kinds_with_nulls")
            .windows(out.len())
            .any(|window| window == out)
    );
}

#[test]
fn every_prefix_is_too_short_and_no_damaged_byte_panics() {
    for vector in vectors().iter().filter(|vector| vector.method.is_some()) {
        let message = message(vector);
        let decode = |bytes: Bytes| {
            let _ = decode_call(&bytes);
            let _ = decode_reply::<OpenSessionReq>(&bytes, 7);
            let _ = decode_reply::<GetInfoReq>(&bytes, 2);
            let _ = decode_reply::<ExecuteStatementReq>(&bytes, 7);
            let _ = decode_reply::<GetOperationStatusReq>(&bytes, 7);
            let _ = decode_reply::<GetResultSetMetadataReq>(&bytes, 7);
            let _ = decode_reply::<GetResultSetMetadataReq>(&bytes, 0);
            if let Ok(FetchResultsResp {
                results: Some(rows),
                ..
            }) = decode_reply::<FetchResultsReq>(&bytes, 0)
            {
                let _ = cells(&rows).len();
            }
            let _ = decode_reply::<FetchResultsReq>(&bytes, 29);
        };
        for end in 0..message.len() {
            let prefix = message.slice(..end);
            assert_eq!(
                message_length(&prefix, 1 << 20),
                Ok(None),
                "{} cut to {end}",
                vector.name
            );
            assert!(decode_call(&prefix).is_err());
            decode(prefix);
            for value in [
                0,
                1,
                0x7f,
                0x80,
                0xff,
                message[end] ^ 1,
                message[end].wrapping_add(1),
            ] {
                let mut damaged = message.to_vec();
                damaged[end] = value;
                let _ = message_length(&damaged, 1 << 20);
                decode(damaged.into());
            }
        }
    }
}

#[test]
fn a_header_says_what_a_message_is() {
    let kinds: BTreeSet<_> = vectors()
        .iter()
        .filter(|vector| vector.method.is_some())
        .map(|vector| {
            MessageHeader::read(&mut Reader::new(&message(vector)))
                .unwrap()
                .kind
                .0
        })
        .collect();
    assert_eq!(
        kinds,
        [
            MessageKind::CALL.0,
            MessageKind::REPLY.0,
            MessageKind::EXCEPTION.0
        ]
        .into()
    );
}
