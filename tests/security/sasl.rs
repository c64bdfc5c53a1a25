use std::time::Duration;

use tests::proxy::Proxy;
use zk_client::sasl::SaslOptions;
use zk_client::{
    Acl, Client, ConnectError, ConnectOptions, CreateMode, ErrorCode, SessionEnd, SessionState,
};

use crate::server::{Server, Setup};
use tests::certificates::Authority;

const T: Duration = Duration::from_secs(20);

/// A server that knows three users, one of them by a password outside of ASCII and one by a name outside of ISO 8859-1.
const LOGIN: &str = "org.apache.zookeeper.server.auth.DigestLoginModule required user_bob=\"secret\" \
    user_eve=\"p\u{e4}ss \\\"w\u{f6}rd\\\"\" user_\u{142}ucja=\"has\u{142}o\";";

async fn start(setup: Setup) -> Server {
    setup
        .property("file.encoding", "UTF-8")
        .sasl(LOGIN)
        .start()
        .await
}

fn user(name: &str, password: &str) -> ConnectOptions {
    ConnectOptions::new()
        .connect_timeout(T)
        .sasl(SaslOptions::digest_md5(name, password))
}

#[tokio::test]
async fn a_user_is_proven_at_every_connect() {
    let server = start(Setup::new()).await;
    let proxy = Proxy::start(server.plain).await;
    let servers = proxy.connect_string();
    let bob = Client::connect_with(&servers, user("bob", "secret"))
        .await
        .unwrap();
    let own: Acl = "sasl:bob:cdrwa".parse().unwrap();
    bob.create_with_acl("/bobs", b"", CreateMode::PERSISTENT, &[own])
        .await
        .unwrap();
    bob.get_data("/bobs").await.unwrap();

    // Another connection of the same session knows nothing of the first one's proof.
    let session = bob.session_id();
    for _ in 0..3 {
        proxy.cut();
        let mut state = bob.state();
        state
            .wait_for(|state| *state == SessionState::Disconnected)
            .await
            .unwrap();
        // What is asked now goes behind the proof.
        let asked = bob.get_data("/bobs");
        proxy.heal();
        asked.await.unwrap();
    }
    assert_eq!(bob.session_id(), session);

    let nobody = Client::connect_with(&servers, ConnectOptions::new())
        .await
        .unwrap();
    let denied = nobody.get_data("/bobs").await.unwrap_err();
    assert_eq!(denied.code(), Some(ErrorCode::NO_AUTH));
    for (name, password) in [
        ("eve", "p\u{e4}ss \"w\u{f6}rd\""),
        ("\u{142}ucja", "has\u{142}o"),
    ] {
        let other = Client::connect_with(&servers, user(name, password))
            .await
            .unwrap();
        let denied = other.get_data("/bobs").await.unwrap_err();
        assert_eq!(denied.code(), Some(ErrorCode::NO_AUTH), "{name} is not bob");
    }
}

#[tokio::test]
async fn a_wrong_password_ends_the_session_at_once() {
    let server = start(Setup::new()).await;
    // With an unknown name, ZooKeeper 3.8.0 compares with the password of whoever logged in before: not with bob's.
    for (name, password) in [("bob", "Secret"), ("nobody", "guess"), ("bob", "")] {
        let refused = Client::connect_with(&server.plain.to_string(), user(name, password)).await;
        match refused {
            Err(ConnectError::SessionEnded(SessionEnd::AuthFailed(what))) => {
                assert!(what.contains("sasl"), "{what}");
            }
            Err(other) => panic!("{name}: {other:?}"),
            Ok(_) => panic!("{name} got in"),
        }
    }
}

/// No password is heard by others then, nor tried on what they heard.
#[tokio::test]
async fn a_user_is_proven_inside_of_tls() {
    let authority = Authority::new("the ensemble's own CA");
    let issued = authority.server(&["localhost"]);
    let server = start(Setup::new().tls(&issued.in_one(), &authority.pem(), "none")).await;
    let servers = format!("localhost:{}", server.secure().port());
    let tls = zk_client::tls::TlsOptions::trust_pem(authority.pem()).unwrap();
    let bob = Client::connect_with(&servers, user("bob", "secret").tls(tls))
        .await
        .unwrap();
    bob.create_with_acl("/bobs", b"", CreateMode::EPHEMERAL, Acl::CREATOR_ALL)
        .await
        .unwrap();
    let nobody = Client::connect(&server.plain.to_string()).await.unwrap();
    let denied = nobody.get_data("/bobs").await.unwrap_err();
    assert_eq!(denied.code(), Some(ErrorCode::NO_AUTH));
}
