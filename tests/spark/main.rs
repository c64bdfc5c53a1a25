//! `hs2-client` on a HiveServer2 that nobody here wrote, the Spark Thrift Server, and the same on our own node: one
//! list of what is expected, with what differs between the two beside it.
#![allow(clippy::unwrap_used)]

/// Cancelling and closing, while a query runs and while a fetch waits for its first row.
mod cancel;
/// What a server refuses, with its SQLSTATE and without its stack trace.
mod errors;
/// What the catalog says of a table that was made for it.
mod metadata;
/// Sessions: settings, variables, logs, rows again from the first, a large result, the end.
mod session;
/// Every type, in columns and in rows.
mod types;

use hs2_client::{ConnectOptions, Session, SessionOptions, connect};
use tests::node::Node;
use tests::spark::SparkThriftServer;

/// One of the two.
struct Server {
    address: String,
    is_spark: bool,
}

impl Server {
    async fn session(&self) -> Session {
        self.session_with(&SessionOptions::default()).await
    }

    async fn session_with(&self, options: &SessionOptions) -> Session {
        connect(&self.address, &ConnectOptions::default(), options)
            .await
            .unwrap()
    }

    /// What is expected of Spark, or of our node.
    fn either<T>(&self, spark: T, node: T) -> T {
        if self.is_spark { spark } else { node }
    }

    async fn everything(&self) {
        types::in_columns_and_in_rows(self).await;
        metadata::of_a_table(self).await;
        errors::of_statements_and_sessions(self).await;
        session::settings_and_variables(self).await;
        session::rows_again_and_many(self).await;
        cancel::a_query_that_runs(self).await;
        cancel::a_fetch_that_waits(self).await;
        session::the_end(self).await;
    }
}

#[tokio::test]
async fn on_a_spark_thrift_server() {
    // Rows as they are made, so that a fetch has to wait for the first.
    let settings = [("spark.sql.thriftServer.incrementalCollect", "true")];
    let spark = SparkThriftServer::start(&settings).await;
    let server = Server {
        address: spark.address().to_string(),
        is_spark: true,
    };
    server.everything().await;
}

#[tokio::test]
async fn on_our_own_node() {
    let node = Node::options().start().await;
    let server = Server {
        address: node.address().to_string(),
        is_spark: false,
    };
    server.everything().await;
}
