//! `multi`: several writes, all or none; `multiRead`: several reads in one request.

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use zk_proto::record::{
    CheckRequest, Children, CreateMode, CreateRequest, CreateTtlRequest, DeleteRequest,
    GetChildrenRequest, GetDataRequest, MultiOp, MultiRequest, MultiResponse, MultiResult, Request,
    SetDataRequest,
};
use zk_proto::{Acl, Decode, ErrorCode, OpCode, Reader, Stat, ZnodeVersion, path};

use super::Client;
use super::create::ttl_ms;
use crate::error::Error;

/// One write of a [`Client::multi`].
#[derive(Debug, Clone)]
pub struct Op<'a> {
    path: &'a str,
    kind: OpKind<'a>,
}

#[derive(Debug, Clone)]
enum OpKind<'a> {
    Create {
        data: &'a [u8],
        mode: CreateMode,
        acl: &'a [Acl],
        ttl: Option<Duration>,
    },
    Delete(ZnodeVersion),
    SetData(&'a [u8], ZnodeVersion),
    Check(ZnodeVersion),
}

impl<'a> Op<'a> {
    /// Creates a znode that everyone may read and write.
    #[must_use]
    pub const fn create(path: &'a str, data: &'a [u8], mode: CreateMode) -> Self {
        Self::create_with_acl(path, data, mode, Acl::OPEN)
    }

    /// Creates a znode with an access control list.
    #[must_use]
    pub const fn create_with_acl(
        path: &'a str,
        data: &'a [u8],
        mode: CreateMode,
        acl: &'a [Acl],
    ) -> Self {
        let ttl = None;
        let kind = OpKind::Create {
            data,
            mode,
            acl,
            ttl,
        };
        Self { path, kind }
    }

    /// Creates a znode with a time to live, see [`Client::create_with_ttl`].
    #[must_use]
    pub const fn create_with_ttl(
        path: &'a str,
        data: &'a [u8],
        mode: CreateMode,
        acl: &'a [Acl],
        ttl: Duration,
    ) -> Self {
        let ttl = Some(ttl);
        let kind = OpKind::Create {
            data,
            mode,
            acl,
            ttl,
        };
        Self { path, kind }
    }

    /// Deletes a znode at a data version, or at any.
    #[must_use]
    pub const fn delete(path: &'a str, version: ZnodeVersion) -> Self {
        let kind = OpKind::Delete(version);
        Self { path, kind }
    }

    /// Replaces a znode's data at a version, or at any.
    #[must_use]
    pub const fn set_data(path: &'a str, data: &'a [u8], version: ZnodeVersion) -> Self {
        let kind = OpKind::SetData(data, version);
        Self { path, kind }
    }

    /// Changes nothing, and fails the multi unless the znode exists at this data version, or at any.
    #[must_use]
    pub const fn check(path: &'a str, version: ZnodeVersion) -> Self {
        let kind = OpKind::Check(version);
        Self { path, kind }
    }

    fn validate(&self) -> Result<(), Error> {
        match self.kind {
            OpKind::Create { mode, .. } if mode.is_sequential() => {
                path::check_sequential(self.path)?;
            }
            _ => path::check(self.path)?,
        }
        Ok(())
    }

    fn request<'b>(&'b self, full: &'b str) -> MultiOp<'b> {
        match self.kind {
            OpKind::Create {
                data,
                mode,
                acl,
                ttl,
            } => {
                let create = CreateRequest {
                    path: full,
                    data: Some(data),
                    acl: Cow::Borrowed(acl),
                    mode,
                };
                match ttl {
                    Some(ttl) => MultiOp::CreateTtl(CreateTtlRequest {
                        create,
                        ttl_ms: ttl_ms(ttl),
                    }),
                    None if mode == CreateMode::CONTAINER => MultiOp::CreateContainer(create),
                    None => MultiOp::Create(create),
                }
            }
            OpKind::Delete(version) => MultiOp::Delete(DeleteRequest {
                path: full,
                version,
            }),
            OpKind::SetData(data, version) => MultiOp::SetData(SetDataRequest {
                path: full,
                data: Some(data),
                version,
            }),
            OpKind::Check(version) => MultiOp::Check(CheckRequest {
                path: full,
                version,
            }),
        }
    }
}

/// What an operation of a multi has done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpResult {
    /// A znode was created.
    Created {
        /// Its path, with the digits that the server has appended.
        path: String,
        /// Its stat, where the server tells: containers and znodes with a time to live.
        stat: Option<Stat>,
    },
    /// A znode was deleted.
    Deleted,
    /// Data was replaced; the new stat.
    DataSet(Stat),
    /// The version was as expected.
    Checked,
}

/// One read of a [`Client::multi_read`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOp<'a> {
    /// The data and the stat of a znode.
    Data(&'a str),
    /// The names of a znode's children.
    Children(&'a str),
}

impl<'a> ReadOp<'a> {
    const fn path(&self) -> &'a str {
        match self {
            Self::Data(path) | Self::Children(path) => path,
        }
    }
}

/// What a read of a multiRead has found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadResult {
    /// Null data reads as empty.
    Data(Bytes, Stat),
    /// In no order.
    Children(Children),
}

impl Client {
    /// Does several writes in one transaction, in order, all or none (`multi`). Later operations see what earlier ones
    /// did. Returns what each has done.
    ///
    /// # Errors
    /// [`Error::Multi`] names the operation that failed; then none was applied. [`Error::Unsupported`] where one of them
    /// is too new for the server. After [`Error::ConnectionLoss`] all may have been applied, or none.
    ///
    /// # Cancel safety
    /// The request leaves at the call. Dropped later, it may be applied all the same.
    ///
    /// ```
    /// # use zk_client::{Client, CreateMode, Op, ZnodeVersion};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let server = zk_server::Server::start("127.0.0.1:0", Default::default()).await?;
    /// # let client = Client::connect(&server.connect_string()).await?;
    /// client.create("/config", b"old", CreateMode::PERSISTENT).await?;
    /// client
    ///     .multi(&[
    ///         Op::check("/config", ZnodeVersion(0)),
    ///         Op::create("/config/backup", b"old", CreateMode::PERSISTENT),
    ///         Op::set_data("/config", b"new", ZnodeVersion(0)),
    ///     ])
    ///     .await?;
    /// # Ok(()) }
    /// ```
    pub fn multi(
        &self,
        ops: &[Op<'_>],
    ) -> impl Future<Output = Result<Vec<OpResult>, Error>> + Send + use<> {
        let asked: Vec<(OpCode, String)>;
        let first = ops.first().map_or("/", |op| op.path);
        let sent = match ops.iter().try_for_each(Op::validate) {
            Ok(()) => {
                let paths: Vec<_> = ops.iter().map(|op| self.full(op.path)).collect();
                let ops_asked = ops.iter().zip(&paths).map(|(op, full)| op.request(full));
                let request = MultiRequest {
                    ops: ops_asked.collect(),
                };
                asked = request
                    .ops
                    .iter()
                    .zip(ops)
                    .map(|(sent, op)| (sent.opcode(), op.path.to_owned()))
                    .collect();
                let chroot = self.chroot().to_owned();
                Ok(
                    self.call(first, &Request::Multi(request), None, move |body| {
                        let response = MultiResponse::decode(&mut Reader::new(body))?;
                        let failed = response.results.iter().position(|result| {
                            matches!(result, MultiResult::Error(code) if *code != ErrorCode::OK)
                        });
                        Ok(
                            match failed.and_then(|at| Some((at, response.results.get(at)?))) {
                                Some((at, MultiResult::Error(code))) => Err((at, *code)),
                                _ => Ok(response
                                    .results
                                    .iter()
                                    .map(|result| done(result, &chroot))
                                    .collect()),
                            },
                        )
                    }),
                )
            }
            Err(error) => {
                asked = Vec::new();
                Err(error)
            }
        };
        async move {
            match sent?.await? {
                Ok(results) => Ok(results),
                Err((index, code)) => {
                    let (op, path) = asked
                        .into_iter()
                        .nth(index)
                        .unwrap_or((OpCode::MULTI, String::new()));
                    Err(Error::Multi {
                        index,
                        op,
                        path,
                        code,
                    })
                }
            }
        }
    }

    /// Fails unless a znode exists at a data version, or at any ([`ZnodeVersion::ANY`]). It is sent as a multi of one
    /// operation, since servers do not answer a `check` alone.
    ///
    /// # Errors
    /// [`Error::Multi`] with `NoNode`, `BadVersion` or `NoAuth`.
    ///
    /// # Cancel safety
    /// Safe.
    pub fn check(
        &self,
        path: &str,
        version: ZnodeVersion,
    ) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let checked = self.multi(&[Op::check(path, version)]);
        async move { checked.await.map(drop) }
    }

    /// Does several reads in one request (`multiRead`), each with an answer or an error of its own. They need not be of
    /// one moment. Since 3.6.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    ///
    /// # Cancel safety
    /// Safe.
    pub fn multi_read(
        &self,
        reads: &[ReadOp<'_>],
    ) -> impl Future<Output = Result<Vec<Result<ReadResult, ErrorCode>>, Error>> + Send + use<>
    {
        let checked = reads.iter().try_for_each(|read| path::check(read.path()));
        let sent = checked.map(|()| {
            let first = reads.first().map_or("/", ReadOp::path);
            let paths: Vec<_> = reads.iter().map(|read| self.full(read.path())).collect();
            let ops = reads.iter().zip(&paths).map(|(read, path)| match read {
                ReadOp::Data(_) => MultiOp::GetData(GetDataRequest { path, watch: false }),
                ReadOp::Children(_) => {
                    MultiOp::GetChildren(GetChildrenRequest { path, watch: false })
                }
            });
            let request = Request::MultiRead(MultiRequest { ops: ops.collect() });
            self.call(first, &request, None, |body| {
                let response = MultiResponse::decode(&mut Reader::new(body))?;
                Ok(response
                    .results
                    .into_iter()
                    .map(|result| found(result, body))
                    .collect())
            })
        });
        async move { sent?.await }
    }
}

/// What a result of a multi that was applied says. Which kind comes is the server's choice.
fn done(result: &MultiResult<'_>, chroot: &str) -> OpResult {
    match result {
        MultiResult::Create { path } => OpResult::Created {
            path: super::call::strip(chroot, path),
            stat: None,
        },
        MultiResult::Create2(created) => OpResult::Created {
            path: super::call::strip(chroot, created.path),
            stat: Some(created.stat),
        },
        MultiResult::Delete => OpResult::Deleted,
        MultiResult::SetData { stat } => OpResult::DataSet(*stat),
        _ => OpResult::Checked,
    }
}

fn found(result: MultiResult<'_>, body: &Bytes) -> Result<ReadResult, ErrorCode> {
    match result {
        MultiResult::GetData(read) => {
            let data = read
                .data
                .map_or_else(Bytes::new, |data| body.slice_ref(data));
            Ok(ReadResult::Data(data, read.stat))
        }
        MultiResult::GetChildren(children) => Ok(ReadResult::Children(children)),
        MultiResult::Error(code) => Err(code),
        _ => Err(ErrorCode::MARSHALLING_ERROR),
    }
}
