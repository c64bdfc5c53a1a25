//! A client that sends exactly what it is told: calls without SASL, one at a time.

use bytes::{Bytes, BytesMut};
use hs2_proto::tcli::{
    Call, ExecuteStatementReq, FetchOrientation, FetchResultsReq, FetchResultsResp,
    GetOperationStatusReq, GetOperationStatusResp, HandleResp, OpenSessionReq, OpenSessionResp,
    OperationHandle, OperationState, ProtocolVersion, ReplyError, SessionHandle, decode_reply,
    write_call,
};
use hs2_proto::thrift::MessageScanner;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::soon;

pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    input: BytesMut,
    seqid: i32,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            input: BytesMut::new(),
            seqid: 0,
        }
    }

    /// A connection with a session.
    pub(crate) async fn open(address: SocketAddr) -> (Self, SessionHandle) {
        let mut raw = Self::connect(address).await;
        let session = raw
            .open_session(ProtocolVersion::V10, &[])
            .await
            .session_handle
            .unwrap();
        (raw, session)
    }

    pub(crate) async fn open_session(
        &mut self,
        version: ProtocolVersion,
        pairs: &[(&str, &str)],
    ) -> OpenSessionResp {
        let configuration = Some(pairs.iter().map(|(key, value)| (*key, *value)).collect());
        let req = OpenSessionReq {
            client_protocol: version,
            username: Some("raw".to_owned()),
            password: None,
            configuration,
        };
        self.call(&req).await
    }

    pub(crate) async fn execute(
        &mut self,
        session: SessionHandle,
        statement: &str,
        run_async: bool,
    ) -> HandleResp {
        self.call(&execute(session, statement, run_async)).await
    }

    /// The handle of a statement that was started.
    pub(crate) async fn start(
        &mut self,
        session: SessionHandle,
        statement: &str,
    ) -> OperationHandle {
        let started = self.execute(session, statement, true).await;
        started
            .operation_handle
            .unwrap_or_else(|| panic!("{:?}", started.status))
    }

    /// What the node says about an operation now, or shortly after.
    pub(crate) async fn status(&mut self, operation: OperationHandle) -> GetOperationStatusResp {
        self.call(&GetOperationStatusReq {
            operation_handle: operation,
            get_progress_update: None,
        })
        .await
    }

    /// What it says as soon as the state is none of those that pass.
    pub(crate) async fn settled(&mut self, operation: OperationHandle) -> GetOperationStatusResp {
        loop {
            let answer = self.status(operation).await;
            if answer.operation_state.unwrap().is_terminal() {
                return answer;
            }
        }
    }

    /// The handle of a statement whose rows can be fetched.
    pub(crate) async fn query(
        &mut self,
        session: SessionHandle,
        statement: &str,
    ) -> OperationHandle {
        let operation = self.start(session, statement).await;
        let state = self.settled(operation).await.operation_state;
        assert_eq!(state, Some(OperationState::FINISHED), "{statement}");
        operation
    }

    pub(crate) async fn fetch(
        &mut self,
        operation: OperationHandle,
        max_rows: i64,
    ) -> FetchResultsResp {
        self.fetch_from(operation, FetchOrientation::NEXT, max_rows)
            .await
    }

    pub(crate) async fn fetch_from(
        &mut self,
        operation: OperationHandle,
        orientation: FetchOrientation,
        max_rows: i64,
    ) -> FetchResultsResp {
        self.call(&FetchResultsReq {
            operation_handle: operation,
            orientation,
            max_rows,
            fetch_type: None,
        })
        .await
    }

    pub(crate) async fn call<C: Call>(&mut self, call: &C) -> C::Reply {
        self.try_call(call).await.unwrap()
    }

    pub(crate) async fn try_call<C: Call>(&mut self, call: &C) -> Result<C::Reply, ReplyError> {
        self.send(call).await;
        let message = self.message().await.expect("an answer");
        decode_reply::<C>(&message, self.seqid)
    }

    /// Sends a call and does not wait.
    pub(crate) async fn send<C: Call>(&mut self, call: &C) {
        self.seqid += 1;
        let mut out = Vec::new();
        write_call(&mut out, self.seqid, call);
        self.stream.write_all(&out).await.unwrap();
    }

    /// The next message, or `None` at the end.
    pub(crate) async fn message(&mut self) -> Option<Bytes> {
        let mut scanner = MessageScanner::new(64 << 20);
        loop {
            if let Some(length) = scanner.scan(&self.input).unwrap() {
                return Some(self.input.split_to(length).freeze());
            }
            if soon(self.stream.read_buf(&mut self.input)).await.unwrap() == 0 {
                return None;
            }
        }
    }
}

pub(crate) fn execute(
    session: SessionHandle,
    statement: &str,
    run_async: bool,
) -> ExecuteStatementReq {
    ExecuteStatementReq {
        session_handle: session,
        statement: statement.to_owned(),
        conf_overlay: None,
        run_async: Some(run_async),
        query_timeout: None,
    }
}
