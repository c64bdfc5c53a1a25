//! The rows of an operation, batch by batch.

use crate::connection::{Pending, Urgency};
use crate::error::Error;
use crate::operation::Operation;
use crate::session::check;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use hs2_proto::rowset::arrow::BatchDecoder;
use hs2_proto::tcli::{
    FetchOrientation, FetchResultsReq, FetchResultsResp, GetResultSetMetadataReq, TableSchema,
};

/// The rows of an operation as Arrow batches, of as many rows each as the server sends at a time.
///
/// While a batch is used, the next one is already on its way: memory holds the batch and at most two answers of the
/// server, each of about [`SessionOptions::fetch_bytes`](crate::SessionOptions::fetch_bytes) at most. Dropping the
/// stream closes the operation.
#[derive(Debug)]
pub struct ResultStream {
    operation: Operation,
    schema: TableSchema,
    decoder: BatchDecoder,
    /// Asked for and not answered yet.
    pending: Option<Pending<FetchResultsReq>>,
    /// Rows to ask for: fewer than the session says where they are wide.
    ask_rows: i64,
    /// The next answer begins at the first row again.
    rewound: bool,
    /// The server has said `hasMoreRows` once, so that its `false` means the end.
    truthful: bool,
    ended: bool,
}

impl ResultStream {
    pub(crate) async fn open(operation: Operation) -> Result<Self, Error> {
        let connection = &operation.session().connection;
        let answer = connection
            .call(GetResultSetMetadataReq {
                operation_handle: operation.handle(),
            })
            .await?;
        check(answer.status)?;
        let schema = answer.schema.unwrap_or_else(|| TableSchema {
            columns: Vec::new(),
        });
        let decoder = BatchDecoder::new(&schema, operation.session().timestamp_unit);
        Ok(Self {
            ask_rows: operation.session().fetch_rows,
            operation,
            schema,
            decoder,
            pending: None,
            rewound: false,
            truthful: false,
            ended: false,
        })
    }

    /// The columns, as Arrow types them. What has no Arrow type of its own is text, with its Hive type in the field's
    /// metadata (`hive.type`): complex types, since servers do not tell the types of their elements.
    #[must_use]
    pub const fn schema(&self) -> &SchemaRef {
        self.decoder.schema()
    }

    /// The columns, as the server describes them.
    #[must_use]
    pub const fn table_schema(&self) -> &TableSchema {
        &self.schema
    }

    /// The operation whose rows these are.
    #[must_use]
    pub const fn operation(&self) -> &Operation {
        &self.operation
    }

    /// The next batch, or `None` at the end. No batch is empty.
    ///
    /// The end is an empty answer: many servers say `hasMoreRows = false` with every batch. One that has said `true`
    /// before is believed.
    ///
    /// # Errors
    /// [`Error::Server`] when the statement failed after its first rows, [`Error::Batch`] when the rows are not as
    /// described, or what ended the connection. After an error there are no more rows.
    ///
    /// # Cancel safety
    /// Safe: no row is lost.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, Error> {
        if self.ended {
            return Ok(None);
        }
        let batch = self.fetch().await;
        self.ended |= !matches!(batch, Ok(Some(_)));
        if self.ended {
            self.pending = None;
        }
        batch
    }

    /// The batches that are left, all in memory; then the operation is closed. For results that are known to be small:
    /// those of metadata calls, or of a query with a limit.
    ///
    /// # Errors
    /// As [`ResultStream::next`] and [`ResultStream::close`].
    ///
    /// # Cancel safety
    /// The operation is closed.
    pub async fn collect(mut self) -> Result<Vec<RecordBatch>, Error> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await? {
            batches.push(batch);
        }
        self.close().await?;
        Ok(batches)
    }

    /// Goes back to the first row. Hive and this project's node keep a result until it is closed; Spark may run the
    /// query again.
    pub fn rewind(&mut self) {
        self.pending = None;
        self.ended = false;
        self.rewound = true;
    }

    async fn fetch(&mut self) -> Result<Option<RecordBatch>, Error> {
        let pending = match &mut self.pending {
            Some(pending) => pending,
            None => {
                let call = self.request();
                let connection = &self.operation.session().connection;
                let pending = connection.start(call, Urgency::Ordinary).await?;
                self.rewound = false;
                self.pending.insert(pending)
            }
        };
        let (answer, bytes) = pending.sized_reply().await?;
        self.pending = None;
        let FetchResultsResp {
            status,
            has_more_rows,
            results,
        } = answer;
        check(status)?;
        let Some(rows) = results.filter(|rows| rows.rows > 0) else {
            return Ok(None);
        };
        let session = self.operation.session();
        self.ask_rows =
            rows_that_fit(session.fetch_bytes, bytes, rows.rows).min(session.fetch_rows);
        self.truthful |= has_more_rows == Some(true);
        if self.truthful && has_more_rows == Some(false) {
            self.ended = true;
        } else {
            // Before this batch is turned into Arrow, so that both go on at once; and without waiting, since a
            // caller that gives up here would lose it.
            let call = self.request();
            self.pending = self.operation.session().connection.try_start(call);
        }
        Ok(Some(self.decoder.decode(&rows)?))
    }

    const fn request(&self) -> FetchResultsReq {
        FetchResultsReq {
            operation_handle: self.operation.handle(),
            orientation: if self.rewound {
                FetchOrientation::FIRST
            } else {
                FetchOrientation::NEXT
            },
            max_rows: self.ask_rows,
            fetch_type: Some(FetchResultsReq::ROWS),
        }
    }

    /// Frees the result and waits for the server's word. Dropping the stream does the same without waiting.
    ///
    /// # Errors
    /// As [`Operation::close`].
    ///
    /// # Cancel safety
    /// Safe: the operation is closed.
    pub async fn close(self) -> Result<(), Error> {
        self.operation.close().await
    }
}

/// How many rows fit an answer, when `rows` of them were `bytes` long.
fn rows_that_fit(fetch_bytes: usize, bytes: usize, rows: usize) -> i64 {
    let row_bytes = bytes.div_ceil(rows.max(1)).max(1);
    i64::try_from(fetch_bytes / row_bytes)
        .unwrap_or(i64::MAX)
        .max(1)
}

#[cfg(test)]
mod tests {
    use super::rows_that_fit;

    #[test]
    fn wide_rows_are_asked_for_in_smaller_numbers() {
        assert_eq!(rows_that_fit(1 << 20, 1 << 20, 1024), 1024);
        assert_eq!(rows_that_fit(1 << 20, 1 << 30, 1024), 1);
        assert_eq!(rows_that_fit(0, 10, 10), 1);
        assert_eq!(rows_that_fit(usize::MAX, 0, 0), i64::MAX);
    }
}
