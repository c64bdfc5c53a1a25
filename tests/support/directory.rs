//! An LDAP directory: Debian's `slapd`, with two users and a group.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::command::run;
use crate::machine::free_address;
use crate::wait;

const CONFIGURATION: &str = "include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile FOLDER/pid
database mdb
maxsize 10485760
suffix dc=example,dc=org
rootdn cn=admin,dc=example,dc=org
rootpw secret
directory FOLDER
";

/// scott:tiger is an analyst, king:kong is not.
const ENTRIES: &str = "dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: uid=scott,dc=example,dc=org
objectClass: person
objectClass: uidObject
uid: scott
cn: Scott
sn: Scott
userPassword: tiger

dn: uid=king,dc=example,dc=org
objectClass: person
objectClass: uidObject
uid: king
cn: King
sn: King
userPassword: kong

dn: cn=analysts,dc=example,dc=org
objectClass: groupOfNames
cn: analysts
member: uid=scott,dc=example,dc=org
";

/// A running directory. It ends with this value.
#[derive(Debug)]
pub struct Directory {
    /// What `hive.server2.authentication.ldap.url` is to be.
    pub url: String,
    _process: Child,
    _folder: TempDir,
}

impl Directory {
    /// Where its entries are.
    pub const BASE: &str = "dc=example,dc=org";

    /// Starts one on a free port.
    pub async fn start() -> Self {
        let program = "/usr/sbin/slapd";
        assert!(
            Path::new(program).exists(),
            "no slapd for the tests of LDAP: run ./tests/prepare"
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        let path = folder.path().to_str().expect("a path in UTF-8");
        std::fs::write(at("conf"), CONFIGURATION.replace("FOLDER", path)).expect("a file");
        std::fs::write(at("ldif"), ENTRIES).expect("a file");
        let mut add = Command::new("/usr/sbin/slapadd");
        add.arg("-f").arg(at("conf")).arg("-l").arg(at("ldif"));
        let _ = run(&mut add, Duration::from_secs(30)).await.success();
        let address = free_address();
        let url = format!("ldap://{address}");
        let process = Command::new(program)
            .arg("-f")
            .arg(at("conf"))
            // In the foreground.
            .args(["-h", &url, "-d", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("slapd starts");
        wait::until("slapd listens", Duration::from_secs(30), async || {
            TcpStream::connect(address).await.is_ok()
        })
        .await;
        Self {
            url,
            _process: process,
            _folder: folder,
        }
    }
}
