//! What one user, one address and all messages together may take.

use hs2_client::{Auth, ConnectOptions, SessionOptions, connect};
use hs2_proto::tcli::{OpenSessionReq, ProtocolVersion, ReplyError};
use tokio::io::AsyncWriteExt;

use super::http::{Browser, open};
use super::raw::{Raw, execute};
use super::{Fixture, soon, until};

#[tokio::test]
async fn one_session_too_many_of_a_user_is_refused_by_name() {
    let fixture = Fixture::with(
        "hive.server2.limit.connections.per.user = 1\nhive.server2.transport.mode = all",
    )
    .await;
    let (first, _) = Raw::open(fixture.node.address()).await;
    let mut second = Raw::connect(fixture.node.address()).await;
    let refused = second.open_session(ProtocolVersion::V10, &[]).await;
    assert_eq!(refused.status.sql_state.as_deref(), Some("08004"));
    let said = refused.status.error_message.unwrap();
    assert_eq!(
        said,
        "Connection limit per user reached (user: raw limit: 1)"
    );
    // By HTTP it is another user.
    let mut browser = Browser::connect(fixture.node.address()).await;
    assert!(
        browser
            .post(&open(), "")
            .await
            .reply::<OpenSessionReq>()
            .status
            .is_success()
    );
    let refused = browser.post(&open(), "").await.reply::<OpenSessionReq>();
    assert!(!refused.status.is_success());
    drop(first);
    until("the first is gone", || fixture.sessions() == 1).await;
    assert!(
        second
            .open_session(ProtocolVersion::V10, &[])
            .await
            .status
            .is_success()
    );
}

#[tokio::test]
async fn one_connection_too_many_of_an_address_is_told_so_in_its_own_protocol() {
    let fixture = Fixture::with(
        "hive.server2.limit.connections.per.ipaddress = 1\nhive.server2.transport.mode = all",
    )
    .await;
    let (first, _) = Raw::open(fixture.node.address()).await;
    let said = "127.0.0.1 has 1 open connections, which is the limit";
    for auth in [
        Auth::default(),
        Auth::NoSasl {
            user: "x".to_owned(),
        },
    ] {
        let options = ConnectOptions {
            auth,
            ..ConnectOptions::default()
        };
        let refused = soon(connect(
            &fixture.url(),
            &options,
            &SessionOptions::default(),
        ))
        .await;
        let error = refused.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let mut browser = Browser::connect(fixture.node.address()).await;
    let answer = browser.post(&open(), "").await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("1"))
    );
    assert!(answer.text().contains(said), "{}", answer.text());
    drop(first);
    until("the first is gone", || fixture.sessions() == 0).await;
    // Its place is free as soon as the connection has ended.
    loop {
        let mut raw = Raw::connect(fixture.node.address()).await;
        if raw
            .try_call(&open())
            .await
            .is_ok_and(|opened| opened.status.is_success())
        {
            break;
        }
    }
}

/// Messages that never end hold their share; who then comes with a large one is told so, and small ones go on.
#[tokio::test]
async fn large_messages_share_the_nodes_memory() {
    let fixture = Fixture::with("hs2.node.message.memory = 1048576").await;
    let (mut small, session) = Raw::open(fixture.node.address()).await;
    let mut statement = execute(session, "rows 1", false);
    let padding = "x".repeat(900 << 10);
    statement.conf_overlay = Some([("padding", padding.as_str())].into_iter().collect());
    let mut whole = Vec::new();
    hs2_proto::tcli::write_call(&mut whole, 1, &statement);
    let mut greedy = Raw::connect(fixture.node.address()).await;
    greedy
        .stream
        .write_all(&whole[..whole.len() - 1])
        .await
        .unwrap();
    let refused = loop {
        // Until the node has read what the greedy one has sent.
        let mut large = Raw::connect(fixture.node.address()).await;
        match large.try_call(&statement).await {
            Ok(_) => {}
            Err(ReplyError::Exception(refused)) => break refused.to_string(),
            Err(error) => panic!("{error}"),
        }
    };
    assert!(refused.contains("hs2.node.message.memory"), "{refused}");
    let operation = small.query(session, "rows 1").await;
    assert_eq!(small.fetch(operation, 10).await.results.unwrap().rows, 1);
    greedy
        .stream
        .write_all(&whole[whole.len() - 1..])
        .await
        .unwrap();
    assert!(
        greedy.message().await.is_some(),
        "the greedy one is served at its end"
    );
    // And its share is free again.
    let mut large = Raw::connect(fixture.node.address()).await;
    assert!(large.try_call(&statement).await.is_ok());
}
