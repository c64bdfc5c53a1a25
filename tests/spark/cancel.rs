use std::time::{Duration, Instant};

use hs2_client::Error;
use tokio::time::{sleep, timeout};

use crate::Server;

/// A query that takes hours: both servers count.
const HOURS: &str = "SELECT count(*) FROM range(2000000000) a CROSS JOIN range(2000000000) b WHERE (a.id * b.id) % 7 = 3";

/// Well below what Spark keeps an answer back for (5 s), and what Hive's driver would need.
const SOON: Duration = Duration::from_secs(3);

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn a_query_that_runs(server: &Server) {
    let session = server.session().await;
    let operation = session.execute(HOURS).await.unwrap();
    let canceller = operation.canceller();
    let waiting = tokio::spawn(async move { operation.wait().await });
    // So that the wait is in the middle of its call.
    sleep(Duration::from_millis(500)).await;
    assert!(!waiting.is_finished());
    let begun = Instant::now();
    canceller.cancel().await.unwrap();
    let answered = begun.elapsed();
    let ended = timeout(PATIENCE, waiting).await.unwrap().unwrap();
    eprintln!(
        "{}: cancel answered after {answered:?}, the wait ended after {:?}",
        server.either("Spark", "node"),
        begun.elapsed()
    );
    assert!(matches!(ended, Err(Error::Cancelled { .. })), "{ended:?}");
    assert!(answered < SOON, "{answered:?}");
    session.close().await.unwrap();
}

/// Rows that come one after another, and the first only after hours: the fetch waits in the server, and what closes
/// the operation must not wait behind it.
pub(crate) async fn a_fetch_that_waits(server: &Server) {
    let session = server.session().await;
    let never = "SELECT a.id FROM range(2000000000) a CROSS JOIN range(2000000000) b WHERE a.id * b.id = -1";
    let query = session.query(never);
    // Spark's fetch waits; our node is not FINISHED before it has a row, so that the wait waits.
    let waited = timeout(Duration::from_secs(2), async {
        query.await?.next().await.map(|_| ())
    });
    assert!(waited.await.is_err(), "there are no such rows");
    // Given up, it is closed, which stops it: the connection is free again.
    let begun = Instant::now();
    let one = timeout(PATIENCE, session.query("SELECT 1")).await;
    one.unwrap().unwrap().collect().await.unwrap();
    eprintln!(
        "{}: free {:?} after a fetch was given up",
        server.either("Spark", "node"),
        begun.elapsed()
    );
    session.close().await.unwrap();
}
