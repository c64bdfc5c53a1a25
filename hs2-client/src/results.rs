//! The rows of an operation, batch by batch.

use crate::connection::{Pending, Urgency};
use crate::error::Error;
use crate::operation::Operation;
use crate::session::check;
use arrow_array::RecordBatch;
use arrow_schema::{SchemaRef, TimeUnit};
use hs2_proto::rowset::arrow::BatchDecoder;
use hs2_proto::tcli::{
    FetchOrientation, FetchResultsReq, FetchResultsResp, GetResultSetMetadataReq, TableSchema,
};

/// The rows of an operation as Arrow batches, of as many rows each as the server sends at a time.
///
/// While a batch is used, the next one is already on its way. Dropping the stream closes the operation.
#[derive(Debug)]
pub struct ResultStream {
    operation: Operation,
    schema: TableSchema,
    decoder: BatchDecoder,
    /// Asked for and not answered yet.
    pending: Option<Pending<FetchResultsReq>>,
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
        // Microseconds hold every year that Hive has, and all digits of Spark.
        let decoder = BatchDecoder::new(&schema, TimeUnit::Microsecond);
        Ok(Self {
            operation,
            schema,
            decoder,
            pending: None,
            truthful: false,
            ended: false,
        })
    }

    /// The columns, as Arrow types them. What has no Arrow type of its own is text, with its Hive type in the field's
    /// metadata. Timestamps are in microseconds: digits below are dropped.
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

    async fn fetch(&mut self) -> Result<Option<RecordBatch>, Error> {
        let asked = self.operation.session().fetch_rows;
        let pending = match &mut self.pending {
            Some(pending) => pending,
            None => {
                let pending = self
                    .operation
                    .session()
                    .connection
                    .start(self.request(asked), Urgency::Ordinary)
                    .await?;
                self.pending.insert(pending)
            }
        };
        let FetchResultsResp {
            status,
            has_more_rows,
            results,
        } = pending.reply().await?;
        self.pending = None;
        check(status)?;
        let Some(rows) = results.filter(|rows| rows.rows > 0) else {
            return Ok(None);
        };
        self.truthful |= has_more_rows == Some(true);
        if self.truthful && has_more_rows == Some(false) {
            self.ended = true;
        } else {
            // Before this batch is turned into Arrow, so that both go on at once; and without waiting, since a
            // caller that gives up here would lose it.
            self.pending = self
                .operation
                .session()
                .connection
                .try_start(self.request(asked));
        }
        Ok(Some(self.decoder.decode(&rows)?))
    }

    const fn request(&self, max_rows: i64) -> FetchResultsReq {
        FetchResultsReq {
            operation_handle: self.operation.handle(),
            orientation: FetchOrientation::NEXT,
            max_rows,
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
