//! An async HiveServer2 client: connect by jdbc:hive2 URL, execute, stream Arrow batches.
