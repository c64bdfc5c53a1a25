//! Records in a file.
//!
//! ```text
//! file    "zk-server data 1" and a line feed, then records
//! record  length u32, CRC-32 of these four bytes u32, CRC-32 of the record u32, the record
//! ```
//!
//! Numbers are big endian. The length has a sum of its own so that a record that was not written to its end is told
//! from one whose length is damaged: the first is the end of the file, the second an error. Zeros up to the end of the
//! file, which some file systems leave of what was under way when the power failed, are an end too.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::{StorageError, reader};

/// What a file begins with.
pub(super) const MAGIC: &[u8] = b"zk-server data 1\n";

const HEADER_BYTES: u64 = 12;

/// Appends a record as it stands in a file.
pub(super) fn frame(out: &mut Vec<u8>, record: &[u8]) {
    // A record is one transaction, which came in a frame of 31 bits, or one znode.
    let length = u32::try_from(record.len())
        .unwrap_or(u32::MAX)
        .to_be_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&crc32fast::hash(&length).to_be_bytes());
    out.extend_from_slice(&crc32fast::hash(record).to_be_bytes());
    out.extend_from_slice(record);
}

/// The records of a file, one after the other.
pub(super) struct Records {
    path: PathBuf,
    reader: BufReader<File>,
    file_bytes: u64,
    /// Where the record begins that was read last.
    record_offset: u64,
    offset: u64,
    is_torn: bool,
}

impl Records {
    pub(super) fn open(path: &Path) -> Result<Self, StorageError> {
        let (reader, file_bytes) = reader(path)?;
        let mut records = Self {
            path: path.to_owned(),
            reader,
            file_bytes,
            record_offset: 0,
            offset: 0,
            is_torn: false,
        };
        let magic_bytes = MAGIC.len() as u64;
        let mut magic = vec![
            0;
            MAGIC
                .len()
                .min(usize::try_from(file_bytes).unwrap_or(usize::MAX))
        ];
        records.read(&mut magic)?;
        if file_bytes < magic_bytes && (MAGIC.starts_with(&magic) || magic.iter().all(|b| *b == 0))
        {
            // The file was just being begun.
            records.is_torn = true;
        } else if magic == MAGIC {
            records.offset = magic_bytes;
        } else {
            return Err(records.damaged("it does not begin as a file of zk-server does".to_owned()));
        }
        Ok(records)
    }

    /// The next record; `None` at the end, or where the last one was not written to its end.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, StorageError> {
        let left = self.file_bytes - self.offset;
        if left == 0 || self.is_torn {
            return Ok(None);
        }
        if left < HEADER_BYTES {
            self.is_torn = true;
            return Ok(None);
        }
        let mut header = [[0; 4]; 3];
        self.read(header.as_flattened_mut())?;
        let [length, length_sum, sum] = header.map(u32::from_be_bytes);
        let length_bytes = length.to_be_bytes();
        if crc32fast::hash(&length_bytes) != length_sum {
            if header == [[0; 4]; 3] && self.is_zero_to_the_end()? {
                self.is_torn = true;
                return Ok(None);
            }
            return Err(self.damaged("the length of a record and its sum do not agree".to_owned()));
        }
        if left - HEADER_BYTES < u64::from(length) {
            self.is_torn = true;
            return Ok(None);
        }
        let mut record = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        self.read(&mut record)?;
        if crc32fast::hash(&record) != sum {
            return Err(self.damaged("a record and its sum do not agree".to_owned()));
        }
        self.record_offset = self.offset;
        self.offset += HEADER_BYTES + u64::from(length);
        Ok(Some(record))
    }

    /// Up to where the records are good.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Where the record begins that was read last.
    pub(super) const fn record_offset(&self) -> u64 {
        self.record_offset
    }

    /// Whether the file ends within a record.
    pub(super) const fn is_torn(&self) -> bool {
        self.is_torn
    }

    fn is_zero_to_the_end(&mut self) -> Result<bool, StorageError> {
        let mut chunk = [0; 4096];
        loop {
            match self.reader.read(&mut chunk) {
                Ok(0) => return Ok(true),
                Ok(count) if chunk.iter().take(count).all(|byte| *byte == 0) => {}
                Ok(_) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StorageError::io("read", &self.path)(error)),
            }
        }
    }

    fn read(&mut self, out: &mut [u8]) -> Result<(), StorageError> {
        let read = self.reader.read_exact(out);
        read.map_err(StorageError::io("read", &self.path))
    }

    fn damaged(&self, reason: String) -> StorageError {
        StorageError::Damaged {
            file: self.path.clone(),
            offset: self.offset,
            reason,
        }
    }
}
