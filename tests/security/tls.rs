use std::net::SocketAddr;
use std::time::Duration;

use tests::proxy::Proxy;
use tests::wait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zk_client::tls::TlsOptions;
use zk_client::{
    Acl, Client, ConnectError, ConnectOptions, CreateMode, ErrorCode, EventType, SessionState,
};

use crate::server::{Server, Setup};
use tests::certificates::{Authority, Issued};

const T: Duration = Duration::from_secs(20);

/// A server for `localhost` and 127.0.0.1 that asks clients for no certificate.
async fn start(authority: &Authority) -> Server {
    let issued = authority.server(&["localhost", "127.0.0.1"]);
    let setup = Setup::new().tls(&issued.in_one(), &authority.pem(), "none");
    setup.start().await
}

fn trusting(authority: &Authority) -> ConnectOptions {
    ConnectOptions::new().tls(TlsOptions::trust_pem(authority.pem()).unwrap())
}

fn localhost(address: SocketAddr) -> String {
    format!("localhost:{}", address.port())
}

/// The reason for which a client is refused. A JVM's first handshake on a busy machine may be too late for an attempt.
async fn refused(servers: &str, options: ConnectOptions) -> String {
    let client = Client::open(servers, options).unwrap();
    let reason = wait::some(T, async || {
        match client.connected(Duration::from_millis(50)).await {
            Err(ConnectError::Unreachable { tried, .. }) => tried[0]
                .failure
                .clone()
                .filter(|reason| !reason.starts_with("no connection within")),
            other => panic!("{other:?}"),
        }
    });
    reason.await.expect("a reason")
}

#[tokio::test]
async fn in_tls_a_session_is_what_it_is_without() {
    let authority = Authority::new("the ensemble's own CA");
    let server = start(&authority).await;
    let proxy = Proxy::start(server.secure()).await;
    let servers = localhost(proxy.address());
    let client = Client::connect_with(&servers, trusting(&authority))
        .await
        .unwrap();

    // Frames over many of TLS's records, and many frames at once.
    let megabyte: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    client
        .create("/tls", &megabyte, CreateMode::PERSISTENT)
        .await
        .unwrap();
    let answers: Vec<_> = (0..20).map(|_| client.get_data("/tls")).collect();
    for answer in answers {
        assert!(answer.await.unwrap().0 == megabyte, "the data is another");
    }
    // A four-letter word, on the same port.
    assert!(client.server_version().await.unwrap().is_some());

    // Another server, or the same one again: session and watches stay.
    let session = client.session_id();
    let (_, watch) = client.exists_and_watch("/tls/child").await.unwrap();
    proxy.cut();
    let mut state = client.state();
    state
        .wait_for(|state| *state == SessionState::Disconnected)
        .await
        .unwrap();
    proxy.heal();
    client.connected(T).await.unwrap();
    assert_eq!(client.session_id(), session);
    let by_address = format!("127.0.0.1:{}", server.secure().port());
    let other = Client::connect_with(&by_address, trusting(&authority))
        .await
        .unwrap();
    other
        .create("/tls/child", b"", CreateMode::EPHEMERAL)
        .await
        .unwrap();
    let changed = tokio::time::timeout(T, watch.changed())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(changed.event_type, EventType::NODE_CREATED);

    // The end of a session is told before the connection ends: the ephemeral goes at once.
    other.close().await;
    wait::until("the ephemeral to go", T, async || {
        client.exists("/tls/child").await.unwrap().is_none()
    })
    .await;
    client.close().await;
}

#[tokio::test]
async fn a_server_is_believed_by_its_certificate_only() {
    let authority = Authority::new("the ensemble's own CA");
    let with = |issued: Issued| Setup::new().tls(&issued.in_one(), &authority.pem(), "none");
    let (server, expired) = tokio::join!(
        with(authority.server(&["localhost"])).start(),
        with(authority.expired(&["localhost"])).start(),
    );

    let stranger = trusting(&Authority::new("another CA"));
    let reason = refused(&localhost(server.secure()), stranger).await;
    assert!(reason.contains("not signed by a trusted root"), "{reason}");

    // The certificate is for `localhost`.
    let by_address = format!("127.0.0.1:{}", server.secure().port());
    let reason = refused(&by_address, trusting(&authority)).await;
    assert!(
        reason.contains("not valid for name \"127.0.0.1\""),
        "{reason}"
    );

    let reason = refused(&localhost(expired.secure()), trusting(&authority)).await;
    assert!(reason.contains("expired"), "{reason}");
}

#[tokio::test]
async fn the_wrong_port_is_called_so() {
    let authority = Authority::new("the ensemble's own CA");
    let server = start(&authority).await;
    let reason = refused(&localhost(server.plain), trusting(&authority)).await;
    assert!(
        reason.contains("is this the port for clients without TLS?"),
        "{reason}"
    );
    let reason = refused(&localhost(server.secure()), ConnectOptions::new()).await;
    assert!(reason.contains("TLS"), "{reason}");
}

#[tokio::test]
async fn a_server_that_wants_certificates_knows_its_clients_by_them() {
    let authority = Authority::new("the ensemble's own CA");
    let issued = authority.server(&["localhost"]);
    let server = Setup::new()
        .tls(&issued.in_one(), &authority.pem(), "need")
        .start()
        .await;
    let servers = localhost(server.secure());
    let shown = |client: Issued| {
        let tls = TlsOptions::trust_pem(authority.pem()).unwrap();
        ConnectOptions::new().tls(
            tls.client_certificate_pem(client.certificate, client.key)
                .unwrap(),
        )
    };

    let alice = shown(authority.client("alice"));
    let alice = Client::connect_with(&servers, alice).await.unwrap();
    let own: Acl = "x509:CN=alice:cdrwa".parse().unwrap();
    alice
        .create_with_acl("/alices", b"", CreateMode::PERSISTENT, &[own])
        .await
        .unwrap();
    assert_eq!(alice.get_data("/alices").await.unwrap().0, "");
    let identities = alice.who_am_i().await.unwrap();
    assert!(
        identities
            .iter()
            .any(|id| id.scheme == "x509" && id.user == "CN=alice"),
        "{identities:?}"
    );

    let bob = shown(authority.client("bob"));
    let bob = Client::connect_with(&servers, bob).await.unwrap();
    let denied = bob.get_data("/alices").await.unwrap_err();
    assert_eq!(denied.code(), Some(ErrorCode::NO_AUTH));

    let reason = refused(&servers, trusting(&authority)).await;
    assert!(reason.contains("certificate"), "{reason}");
    let stranger = Authority::new("another CA").client("alice");
    let reason = refused(&servers, shown(stranger)).await;
    assert!(reason.contains("certificate"), "{reason}");
}

#[test]
fn what_cannot_be_used_is_named_when_it_is_loaded() {
    let authority = Authority::new("a CA");
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("ca.pem");
    let error = TlsOptions::trust_file(&missing).unwrap_err().to_string();
    assert!(
        error.contains("ca.pem") && error.contains("No such file"),
        "{error}"
    );
    std::fs::write(&missing, "not PEM at all").unwrap();
    let error = TlsOptions::trust_file(&missing).unwrap_err().to_string();
    assert!(error.contains("ca.pem: there is no certificate"), "{error}");
    std::fs::write(
        &missing,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    assert!(TlsOptions::trust_file(&missing).is_err());
    std::fs::write(&missing, authority.pem()).unwrap();
    let tls = TlsOptions::trust_file(&missing).unwrap();

    let (alice, bob) = (authority.client("alice"), authority.client("bob"));
    let with = |certificate: &str, key: &str| {
        let with = tls.clone().client_certificate_pem(certificate, key);
        with.map_err(|error| error.to_string())
    };
    assert!(with(&alice.certificate, &alice.key).is_ok());
    let error = with(&alice.certificate, &bob.key).unwrap_err();
    assert!(error.contains("the client's key"), "{error}");
    let error = with(&alice.certificate, &alice.certificate).unwrap_err();
    assert!(error.contains("there is no private key"), "{error}");
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let error = with(&alice.certificate, encrypted).unwrap_err();
    assert!(error.contains("encrypted"), "{error}");
    let broken = alice.key.replace("-----END", "----END");
    let error = with(&alice.certificate, &broken).unwrap_err();
    assert!(
        error.contains("has no end") && !error.contains(&alice.key[40..60]),
        "{error}"
    );
}

/// A server's own words about TLS are not needed to see that it is another protocol.
#[tokio::test]
async fn a_port_of_another_protocol_is_told_from_a_zookeeper() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let authority = Authority::new("a CA");
    let serve = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
        }
    };
    let servers = localhost(address);
    let reason = tokio::select! {
        () = serve => unreachable!(),
        reason = refused(&servers, trusting(&authority)) => reason,
    };
    assert!(reason.contains("does not speak TLS"), "{reason}");
}
