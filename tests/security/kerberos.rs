use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tests::proxy::Proxy;
use tests::wait;
use zk_client::sasl::{GssapiOptions, SaslOptions};
use zk_client::{Acl, Client, ConnectError, ConnectOptions, CreateMode, ErrorCode, SessionState};

use crate::server::{Setup, path};

const T: Duration = Duration::from_secs(20);
const TEST: &str = "kerberos::a_principal_is_proven_at_every_connect";
/// Set for the process that is the client: the Kerberos library reads the environment only.
const AS_CLIENT: &str = "SECURITY_TEST_KERBEROS_SERVER";

/// A realm, EXAMPLE.COM, with its database and its server.
struct Realm {
    folder: TempDir,
    config: PathBuf,
    kdc: Option<Child>,
}

impl Realm {
    async fn start() -> Self {
        let address = free_address();
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| path(&folder.path().join(name)).to_owned();
        let config = folder.path().join("krb5.conf");
        fs::write(
            &config,
            format!(
                "[libdefaults]\n default_realm = EXAMPLE.COM\n dns_lookup_kdc = false\n dns_lookup_realm = false\n \
                 dns_canonicalize_hostname = false\n rdns = false\n udp_preference_limit = 1\n\
                 [realms]\n EXAMPLE.COM = {{\n  kdc = {address}\n }}\n"
            ),
        )
        .unwrap();
        fs::write(
            folder.path().join("kdc.conf"),
            format!(
                "[kdcdefaults]\n kdc_listen = {address}\n kdc_tcp_listen = {address}\n\
                 [realms]\n EXAMPLE.COM = {{\n  database_name = {}\n  key_stash_file = {}\n }}\n",
                at("principals"),
                at("stash"),
            ),
        )
        .unwrap();
        let mut realm = Self {
            folder,
            config,
            kdc: None,
        };
        realm.run(
            "kdb5_util",
            &["create", "-s", "-P", "master", "-r", "EXAMPLE.COM"],
        );
        for name in ["zookeeper/localhost", "app"] {
            realm.run(
                "kadmin.local",
                &["-q", &format!("addprinc -randkey {name}")],
            );
            let keytab = realm.keytab(name);
            realm.run(
                "kadmin.local",
                &["-q", &format!("ktadd -k {} {name}", path(&keytab))],
            );
        }
        // The shell ends it at the end of its standard input, which comes even when a test is killed.
        let mut kdc = realm.command("sh");
        kdc.args(["-c", "krb5kdc -n & kdc=$!; read -r _; kill -9 $kdc"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        realm.kdc = Some(kdc.spawn().unwrap());
        wait::until("the realm's server to listen", T, async || {
            TcpStream::connect(address).is_ok()
        })
        .await;
        realm
    }

    fn keytab(&self, name: &str) -> PathBuf {
        self.folder
            .path()
            .join(format!("{}.keytab", name.replace('/', "-")))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let sbin = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        command
            .env("PATH", sbin)
            .env("KRB5_CONFIG", &self.config)
            .env("KRB5_KDC_PROFILE", self.folder.path().join("kdc.conf"));
        command
    }

    fn run(&self, program: &str, args: &[&str]) {
        let done = self.command(program).args(args).output();
        let done = done.unwrap_or_else(|error| {
            panic!("{program}: {error}: install krb5-kdc and krb5-admin-server")
        });
        assert!(
            done.status.success(),
            "{program}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        if let Some(mut kdc) = self.kdc.take() {
            drop(kdc.stdin.take());
            let _ = kdc.wait();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_principal_is_proven_at_every_connect() {
    if let Ok(address) = std::env::var(AS_CLIENT) {
        return as_client(&address).await;
    }
    let realm = Realm::start().await;
    let login = format!(
        "com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true storeKey=true useTicketCache=false \
         keyTab=\"{}\" principal=\"zookeeper/localhost@EXAMPLE.COM\";",
        path(&realm.keytab("zookeeper/localhost"))
    );
    let server = Setup::new()
        .property("java.security.krb5.conf", path(&realm.config))
        .sasl(&login)
        .start()
        .await;

    let client = realm
        .command(path(&std::env::current_exe().unwrap()))
        .args([TEST, "--exact", "--nocapture"])
        .env(AS_CLIENT, server.plain.to_string())
        .env("KRB5_CLIENT_KTNAME", realm.keytab("app"))
        .env("KRB5CCNAME", realm.folder.path().join("tickets"))
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
