//! Our client of a real ZooKeeper.

use std::io::Write;
use std::time::Duration;

use tests::proxy::Proxy;
use zk_client::sasl::{GssapiOptions, SaslOptions};
use zk_client::{Acl, Client, ConnectError, ConnectOptions, CreateMode, ErrorCode, SessionState};

use super::realm::Realm;
use crate::server::{Setup, path};

const T: Duration = Duration::from_secs(20);
const TEST: &str = "kerberos::zookeeper::a_principal_is_proven_at_every_connect";
/// Set for the process that is the client: the Kerberos library reads the environment only.
const AS_CLIENT: &str = "SECURITY_TEST_KERBEROS_SERVER";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_principal_is_proven_at_every_connect() {
    if let Ok(address) = std::env::var(AS_CLIENT) {
        return as_client(&address).await;
    }
    let realm = Realm::start(&["zookeeper/localhost", "app"]).await;
    let login = format!(
        "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true useTicketCache=false \
         keyTab=\"{}\" principal=\"zookeeper/localhost@EXAMPLE.COM\";",
        path(&realm.keytab("zookeeper/localhost"))
    );
    let server = Setup::new()
        .property("java.security.krb5.conf", path(realm.config()))
        .sasl(&login)
        .start()
        .await;

    let client = realm
        .command(path(&std::env::current_exe().unwrap()))
        .args([TEST, "--exact", "--nocapture"])
        .env(AS_CLIENT, server.plain.to_string())
        .env("KRB5_CLIENT_KTNAME", realm.keytab("app"))
        .env("KRB5CCNAME", realm.file("tickets"))
        .output()
        .unwrap();
    let _ = std::io::stderr().write_all(&client.stderr);
    assert!(
        client.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&client.stdout),
        server.log()
    );
}

/// What the client's process does.
async fn as_client(address: &str) {
    let proxy = Proxy::start(address.parse().unwrap()).await;
    let servers = format!("localhost:{}", proxy.address().port());
    let options = || ConnectOptions::new().connect_timeout(T);

    let app = options().sasl(SaslOptions::gssapi());
    let app = Client::connect_with(&servers, app).await.unwrap();
    let own: Acl = "sasl:app@EXAMPLE.COM:cdrwa".parse().unwrap();
    app.create_with_acl("/apps", b"", CreateMode::PERSISTENT, &[own])
        .await
        .unwrap();
    app.get_data("/apps").await.unwrap();
    proxy.cut();
    let mut state = app.state();
    state
        .wait_for(|state| *state == SessionState::Disconnected)
        .await
        .unwrap();
    proxy.heal();
    app.connected(T).await.unwrap();
    app.get_data("/apps").await.unwrap();

    let nobody = Client::connect_with(&servers, options()).await.unwrap();
    let denied = nobody.get_data("/apps").await.unwrap_err();
    assert_eq!(denied.code(), Some(ErrorCode::NO_AUTH));

    let by_name = GssapiOptions::new()
        .principal("app@EXAMPLE.COM")
        .server_principal("zookeeper/localhost@EXAMPLE.COM");
    let by_name = options().sasl(SaslOptions::gssapi_with(by_name));
    let by_name = Client::connect_with(&servers, by_name).await.unwrap();
    by_name.get_data("/apps").await.unwrap();

    // What the Kerberos library says of a server that the realm does not know.
    let elsewhere = SaslOptions::gssapi_with(GssapiOptions::new().service("nothing"));
    let elsewhere = ConnectOptions::new()
        .connect_timeout(Duration::from_secs(3))
        .sasl(elsewhere);
    match Client::connect_with(&servers, elsewhere).await {
        Err(ConnectError::Unreachable { tried, .. }) => {
            let reason = tried[0].failure.clone().unwrap();
            assert!(
                reason.contains("nothing/localhost") && reason.contains("not found"),
                "{reason}"
            );
        }
        other => panic!("{other:?}"),
    }
}
