//! Several operations in one request: `multi`, all or nothing, and `multiRead`, each for itself.

use bytes::BytesMut;
use zk_proto::record::{
    Create2Response, CreateMode, MultiOp, MultiRequest, MultiResponse, MultiResult,
};
use zk_proto::{Encode, ErrorCode};

use super::Core;
use super::request::{Asker, children, get_data};
use super::write::Outcome;

impl Core {
    /// All or nothing. A failure is told by the results, not by the header.
    pub(super) fn multi(
        &mut self,
        asker: &Asker,
        request: MultiRequest<'_>,
        body: &mut BytesMut,
    ) -> Result<(), ErrorCode> {
        let stamp = self.begin(asker.now);
        let release = self.release;
        if !request.ops.iter().all(|op| release.takes_in_multi(op)) {
            return Err(ErrorCode::MARSHALLING_ERROR);
        }
        let quotas = self.enforce_quota.then_some(&self.quotas);
        let author = asker.author(stamp, quotas);
        let ops_count = request.ops.len();
        let mut outcomes = Vec::new();
        let mut changes = Vec::new();
        for op in request.ops {
            // Within a multi the mode alone makes a container.
            let op = match op {
                MultiOp::Create(r) | MultiOp::Create2(r) if r.mode == CreateMode::CONTAINER => {
                    MultiOp::CreateContainer(r)
                }
                MultiOp::Create2(r) | MultiOp::CreateContainer(r)
                    if !release.has_create2_in_multi() =>
                {
                    MultiOp::Create(r)
                }
                op => op,
            };
            let is_fatal = release.breaks_multi(&op);
            let done = if is_fatal {
                Err(ErrorCode::MARSHALLING_ERROR)
            } else {
                self.tree.apply(&op, author)
            };
            match done {
                Ok((outcome, change)) => {
                    outcomes.push(outcome);
                    changes.extend(change);
                }
                Err(code) => {
                    for change in changes.into_iter().rev() {
                        self.tree.revert(change);
                    }
                    if is_fatal {
                        return Err(code);
                    }
                    let failed = outcomes.len();
                    let results = (0..ops_count).map(|index| {
                        MultiResult::Error(match index {
                            _ if index < failed => ErrorCode::OK,
                            _ if index == failed => code,
                            _ => ErrorCode::RUNTIME_INCONSISTENCY,
                        })
                    });
                    MultiResponse {
                        results: results.collect(),
                    }
                    .encode(body);
                    return Ok(());
                }
            }
        }
        self.commit(&changes, stamp);
        let results = outcomes.iter().map(|outcome| match outcome {
            Outcome::Created { path, stat: None } => MultiResult::Create { path },
            Outcome::Created {
                path,
                stat: Some(stat),
            } => MultiResult::Create2(Create2Response { path, stat: *stat }),
            Outcome::Deleted => MultiResult::Delete,
            Outcome::DataSet(stat) => MultiResult::SetData { stat: *stat },
            Outcome::Checked => MultiResult::Check,
        });
        MultiResponse {
            results: results.collect(),
        }
        .encode(body);
        Ok(())
    }

    /// Each read for itself, and none leaves a watch, whatever it asks. An answer that no connection can hold is not finished: the connection is cut by it.
    pub(super) fn multi_read(
        &mut self,
        asker: &Asker,
        request: &MultiRequest<'_>,
        body: &mut BytesMut,
    ) -> Result<(), ErrorCode> {
        if !request.ops.iter().all(is_read) {
            MultiResponse::default().encode(body);
            return Err(ErrorCode::MARSHALLING_ERROR);
        }
        let mut bytes = 0_usize;
        let mut results = Vec::new();
        for op in &request.ops {
            let result = match op {
                MultiOp::GetData(r) => self
                    .readable(asker, r.path)
                    .map(|znode| MultiResult::GetData(get_data(znode))),
                MultiOp::GetChildren(r) => self
                    .readable(asker, r.path)
                    .map(|znode| MultiResult::GetChildren(children(znode))),
                _ => Err(ErrorCode::MARSHALLING_ERROR),
            };
            bytes = bytes.saturating_add(match &result {
                Ok(MultiResult::GetData(read)) => read.data.map_or(0, <[u8]>::len),
                Ok(MultiResult::GetChildren(children)) => {
                    children.iter().map(|name| name.map_or(0, str::len)).sum()
                }
                _ => 0,
            });
            results.push(result.unwrap_or_else(MultiResult::Error));
            if bytes > self.options.output_bytes_max {
                break;
            }
        }
        MultiResponse { results }.encode(body);
        if bytes > self.options.output_bytes_max {
            self.abort(asker.connection);
        }
        Ok(())
    }
}

pub(super) const fn is_read(op: &MultiOp<'_>) -> bool {
    matches!(op, MultiOp::GetData(_) | MultiOp::GetChildren(_))
}
