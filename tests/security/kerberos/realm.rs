//! A realm of a test's own.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tests::{free_address, wait};

use crate::server::path;

const T: Duration = Duration::from_secs(20);

/// A realm, EXAMPLE.COM, with its database and its server.
pub(super) struct Realm {
    folder: TempDir,
    config: PathBuf,
    kdc: Option<Child>,
}

impl Realm {
    /// With these principals, each with a keytab.
    pub(super) async fn start(principals: &[&str]) -> Self {
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
        for name in principals {
            realm.run(
                "kadmin.local",
                &["-q", &format!("addprinc -randkey {name}")],
            );
            realm.new_key(name);
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

    /// Its krb5.conf.
    pub(super) fn config(&self) -> &Path {
        &self.config
    }

    /// A file of the realm's folder, which goes with it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The keytab of a principal.
    pub(super) fn keytab(&self, name: &str) -> PathBuf {
        self.file(&format!("{}.keytab", name.replace('/', "-")))
    }

    /// Changes the key of a principal; its keytab has the new one beside the old.
    pub(super) fn new_key(&self, name: &str) {
        let keytab = self.keytab(name);
        let order = format!("ktadd -k {} {name}", path(&keytab));
        self.run("kadmin.local", &["-q", &order]);
    }

    /// A program that lives in this realm.
    pub(super) fn command(&self, program: &str) -> Command {
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
