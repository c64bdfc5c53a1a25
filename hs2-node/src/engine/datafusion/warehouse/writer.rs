//! One new data file of a managed table: unseen until it is whole.

use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use tempfile::NamedTempFile;

use super::{TEMPORARY, sync, unique};
use crate::engine::EngineError;
use crate::engine::datafusion::error;
use crate::engine::datafusion::functions::cast::cast_array;
use crate::engine::datafusion::sql::types::HiveType;

/// How much of a row group may wait in memory.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// A Parquet file under way. Dropped without [`DataFile::commit`], it leaves nothing.
pub(crate) struct DataFile {
    writer: ArrowWriter<BufWriter<NamedTempFile>>,
    schema: SchemaRef,
    types: Vec<HiveType>,
    rows: u64,
}

impl DataFile {
    /// Begins a file in `folder` for rows of `schema`, whose columns are of `types`.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn create(
        folder: &Path,
        schema: SchemaRef,
        types: Vec<HiveType>,
    ) -> Result<Self, EngineError> {
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(folder)
            .map_err(|e| error::io("creating a data file", &e))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .build();
        let writer =
            ArrowWriter::try_new(BufWriter::new(file), Arc::clone(&schema), Some(properties))
                .map_err(|e| failed(&e))?;
        Ok(Self {
            writer,
            schema,
            types,
            rows: 0,
        })
    }

    /// Writes the rows of a batch, each column converted to its type.
    ///
    /// # Errors
    /// A conversion that Hive has not, or the disk.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), EngineError> {
        let columns = batch
            .columns()
            .iter()
            .zip(&self.types)
            .map(|(column, hive)| cast_array(column, hive).map_err(|e| error::from_running(&e)))
            .collect::<Result<Vec<_>, _>>()?;
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|e| error::execution(e.to_string()))?;
        self.writer.write(&batch).map_err(|e| failed(&e))?;
        self.rows += batch.num_rows() as u64;
        if self.writer.in_progress_size() > ROW_GROUP_BYTES {
            self.writer.flush().map_err(|e| failed(&e))?;
        }
        Ok(())
    }

    /// Ends the file and lets it appear in `folder`. A file without rows never appears.
    ///
    /// # Errors
    /// The disk, or the folder is gone because the table was dropped.
    pub(crate) fn commit(self, folder: &Path) -> Result<(), EngineError> {
        if self.rows == 0 {
            return Ok(());
        }
        let fail = |e: std::io::Error| error::io("finishing a data file", &e);
        let file = self.writer.into_inner().map_err(|e| failed(&e))?;
        let file = file.into_inner().map_err(|e| fail(e.into_error()))?;
        file.as_file().sync_all().map_err(fail)?;
        file.persist_noclobber(folder.join(format!("part-{}.parquet", unique())))
            .map_err(|e| fail(e.error))?;
        sync(folder).map_err(fail)
    }
}

fn failed(error: &ParquetError) -> EngineError {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return error::io("writing a data file", io);
        }
        source = inner.source();
    }
    let text = error.to_string();
    if text.contains("No space left on device") {
        return error::io(
            "writing a data file",
            &std::io::ErrorKind::StorageFull.into(),
        );
    }
    error::execution(format!("writing a data file: {text}"))
}
