use super::*;
use crate::error::{EndpointError, NamespaceError};

const ZOOKEEPER: &str = "jdbc:hive2://zk1,zk2:2182/;serviceDiscoveryMode=zooKeeper";

fn read(text: &str) -> JdbcUrl {
    JdbcUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn fault(text: &str) -> (usize, UrlProblem) {
    let error = JdbcUrl::parse(text).expect_err(text);
    (error.offset(), error.problem().clone())
}

fn pairs(variables: &Variables) -> Vec<(&str, &str)> {
    variables.iter().collect()
}

fn hosts(url: &JdbcUrl) -> String {
    join(url.hosts())
}

#[test]
fn all_parts() {
    let url = read("jdbc:hive2://h1:1,[::1]/db;user=me;password=x?hive.a=1;b=2#v=3?c=2");
    assert_eq!(hosts(&url), "h1:1,[::1]:10000");
    assert_eq!(url.database(), "db");
    assert_eq!(
        pairs(url.session_vars()),
        [("user", "me"), ("password", "x")]
    );
    assert_eq!(pairs(url.hive_confs()), [("hive.a", "1"), ("b", "2")]);
    assert_eq!(pairs(url.hive_vars()), [("v", "3?c=2")]);
    assert_eq!(url.discovery(), &Discovery::None);
}

#[test]
fn every_part_but_the_host_may_be_left_out() {
    for text in [
        "jdbc:hive2://h",
        "jdbc:hive2://h/",
        "jdbc:hive2://h/;",
        "jdbc:hive2://h/;;?#",
        "jdbc:hive2://h?",
        "jdbc:hive2://h#",
        "jdbc:hive2://h:10000/default",
    ] {
        let url = read(text);
        assert_eq!(hosts(&url), "h:10000", "{text}");
        assert_eq!(url.database(), "default", "{text}");
        assert!(url.session_vars().is_empty(), "{text}");
        assert!(url.hive_confs().is_empty(), "{text}");
        assert!(url.hive_vars().is_empty(), "{text}");
        assert_eq!(url.warnings(), [], "{text}");
    }
}

#[test]
fn the_hosts_end_at_the_first_mark() {
    let url = read("jdbc:hive2://h:1?k=/x");
    assert_eq!(url.database(), "default");
    assert_eq!(pairs(url.hive_confs()), [("k", "/x")]);
    assert_eq!(
        pairs(read("jdbc:hive2://h#v=/x?y").hive_vars()),
        [("v", "/x?y")]
    );
}

#[test]
fn the_database_may_hold_slashes() {
    assert_eq!(read("jdbc:hive2://h/a/b/c;k=v").database(), "a/b/c");
    let chroot = read("jdbc:hive2://zk/chroot/db;serviceDiscoveryMode=zooKeeper");
    assert_eq!(chroot.warnings(), [Warning::ChrootAsDatabase]);
}

#[test]
fn a_pair_is_split_at_its_first_equals_sign() {
    let url = read("jdbc:hive2://h/;password=a=b==?c=d=e#f=g=h");
    assert_eq!(url.password(), Some("a=b=="));
    assert_eq!(url.hive_confs().get("c"), Some("d=e"));
    assert_eq!(url.hive_vars().get("f"), Some("g=h"));
}

#[test]
fn odd_pairs_are_read_as_the_driver_reads_them() {
    let url = read("jdbc:hive2://h/;k=;;=v;lone");
    assert_eq!(pairs(url.session_vars()), [("k", ""), ("", "v")]);
    assert_eq!(
        url.warnings(),
        [
            Warning::EmptyName { offset: 20 },
            Warning::NoValue { offset: 23 }
        ]
    );
}

#[test]
fn a_repeated_name() {
    assert_eq!(
        fault("jdbc:hive2://h/;a=1;b=2;a=3"),
        (24, UrlProblem::Repeated("a".to_owned()))
    );
    assert_eq!(
        fault("jdbc:hive2://h/;user=1;USER=2"),
        (23, UrlProblem::Repeated("user".to_owned()))
    );
    let url = read("jdbc:hive2://h/?a=1;a=2#b=1;b=2");
    assert_eq!(pairs(url.hive_confs()), [("a", "2")]);
    assert_eq!(pairs(url.hive_vars()), [("b", "2")]);
}

#[test]
fn escapes_are_decoded_before_the_pairs_are_split() {
    let url = read("jdbc:hive2://h/d%C3%BC;a=1%3Bb=2;c%3D=+%25%23%3F");
    assert_eq!(url.database(), "dü");
    assert_eq!(
        pairs(url.session_vars()),
        [("a", "1"), ("b", "2"), ("c", "=+%#?")]
    );
    assert_eq!(fault("jdbc:hive2://h/;a=%zz"), (18, UrlProblem::BadEscape));
    assert_eq!(
        fault("jdbc:hive2://h/?a=1%FF"),
        (19, UrlProblem::EscapeNotUtf8)
    );
    assert_eq!(
        fault("jdbc:hive2://h/;a=b c"),
        (19, UrlProblem::IllegalCharacter(' '))
    );
    assert_eq!(
        fault("jdbc:hive2://h/%41;a=1;a%3D=2"),
        (23, UrlProblem::Repeated("a".to_owned()))
    );
}

#[test]
fn an_ensemble() {
    let url = read(ZOOKEEPER);
    let zookeeper = |namespace: &str, tls| Discovery::ZooKeeper {
        connect_string: "zk1:2181,zk2:2182".to_owned(),
        namespace: namespace.parse().unwrap(),
        tls,
    };
    assert_eq!(url.discovery(), &zookeeper("hiveserver2", false));
    assert_eq!(hosts(&url), "zk1:2181,zk2:2182");
    assert_eq!(url.warnings(), []);
    for (namespace, read_as) in [("", "hiveserver2"), ("/a/b/", "a/b"), ("ns", "ns")] {
        let url = read(&format!("{ZOOKEEPER};zooKeeperNamespace={namespace}"));
        assert_eq!(url.discovery(), &zookeeper(read_as, false));
    }
    let url = read(&format!("{ZOOKEEPER};zooKeeperSSLEnable=true"));
    assert_eq!(url.discovery(), &zookeeper("hiveserver2", true));
}

#[test]
fn discovery_modes() {
    let mode = |mode: &str| format!("jdbc:hive2://h/;serviceDiscoveryMode={mode}");
    for direct in ["none", "NONE"] {
        assert_eq!(read(&mode(direct)).discovery(), &Discovery::None);
    }
    let shouted = read(&mode("ZOOKEEPER"));
    assert!(matches!(shouted.discovery(), Discovery::ZooKeeper { .. }));
    assert_eq!(fault(&mode("zooKeeperHA")), (37, UrlProblem::ActivePassive));
    for unknown in ["zookeper", "", "etcd"] {
        assert_eq!(fault(&mode(unknown)), (37, UrlProblem::DiscoveryMode));
    }
    let bad = format!("{ZOOKEEPER};zooKeeperNamespace=a/../b");
    let problem = UrlProblem::Namespace(NamespaceError::Relative);
    assert_eq!(fault(&bad), (bad.len() - 6, problem));
}

#[test]
fn a_mistyped_discovery_is_warned_about() {
    let url = read("jdbc:hive2://a,b,c/;zooKeeperNamespace=ns");
    assert_eq!(url.warnings(), [Warning::SeveralHosts { hosts: 3 }]);
    assert!(
        url.warnings()[0]
            .to_string()
            .contains("serviceDiscoveryMode")
    );
    let url = read("jdbc:hive2://a/;zooKeeperNamespace=ns");
    assert_eq!(url.warnings(), [Warning::UnusedNamespace]);
    assert_eq!(
        read("jdbc:hive2://a,b/;serviceDiscoveryMode=none").warnings(),
        []
    );
}

#[test]
fn parameters_in_another_case_are_recognised_with_a_warning() {
    let url = read("jdbc:hive2://zk/;servicediscoverymode=zooKeeper;zooKeeperNameSpace=ns;Mine=1");
    let Discovery::ZooKeeper { namespace, .. } = url.discovery() else {
        panic!("{url}");
    };
    assert_eq!(namespace.as_str(), "ns");
    assert_eq!(url.session_vars().get("Mine"), Some("1"));
    let written = |written: &str, meant| Warning::Spelling {
        written: written.to_owned(),
        meant,
    };
    assert_eq!(
        url.warnings(),
        [
            written("servicediscoverymode", "serviceDiscoveryMode"),
            written("zooKeeperNameSpace", "zooKeeperNamespace"),
        ]
    );
}

#[test]
fn old_names_are_moved() {
    let url = read(
        "jdbc:hive2://h/;sasl.qop=auth;httpPath=mine?hive.server2.transport.mode=http;hive.server2.thrift.http.path=old;k=v",
    );
    assert_eq!(
        pairs(url.session_vars()),
        [
            ("saslQop", "auth"),
            ("httpPath", "mine"),
            ("transportMode", "http")
        ]
    );
    assert_eq!(pairs(url.hive_confs()), [("k", "v")]);
    assert_eq!(url.warnings().len(), 3);
}

#[test]
fn what_is_no_url_says_where() {
    for (text, offset, problem) in [
        ("", 0, UrlProblem::Prefix),
        ("JDBC:hive2://h", 0, UrlProblem::Prefix),
        ("jdbc:hive2:/h", 0, UrlProblem::Prefix),
        (" jdbc:hive2://h", 0, UrlProblem::Prefix),
        ("jdbc:hive2://", 13, UrlProblem::Embedded),
        ("jdbc:hive2:///db", 13, UrlProblem::Embedded),
        ("jdbc:hive2://;k=v", 13, UrlProblem::Embedded),
        ("jdbc:hive2://h:1;k=v", 16, UrlProblem::MissingSlash),
        ("jdbc:hive2://a,,b/", 15, EndpointError::EmptyHost.into()),
        ("jdbc:hive2://a,/", 15, EndpointError::EmptyHost.into()),
        ("jdbc:hive2://a:x/", 15, EndpointError::BadPort.into()),
        ("jdbc:hive2://::1/", 13, EndpointError::ManyColons.into()),
        ("jdbc:hive2://[::g]/", 13, EndpointError::BadIpv6.into()),
        (
            "jdbc:hive2://a b/",
            14,
            EndpointError::BadCharacter(' ').into(),
        ),
        ("jdbc:hive2://me:x@h/", 17, EndpointError::UserInfo.into()),
    ] {
        assert_eq!(fault(text), (offset, problem), "{text:?}");
    }
    let long = format!("jdbc:hive2://h/{}", "a".repeat(URL_BYTES_MAX));
    let bytes = long.len();
    assert_eq!(fault(&long), (0, UrlProblem::TooLong { bytes }));
}

#[test]
fn a_plain_host_and_port_is_the_server_itself() {
    for (text, host) in [
        ("h:1", "h:1"),
        ("h", "h:10000"),
        ("[::1]:5", "[::1]:5"),
        ("jdbc:hive2://h:2/db", "h:2"),
    ] {
        let url = JdbcUrl::parse_target(text).unwrap();
        assert_eq!(hosts(&url), host);
        assert_eq!(url.discovery(), &Discovery::None);
    }
    for (text, offset, problem) in [
        ("a:1,b:2", 3, UrlProblem::PlainTarget),
        ("a:1/db", 3, UrlProblem::PlainTarget),
        ("", 0, EndpointError::EmptyHost.into()),
        ("a:b", 2, EndpointError::BadPort.into()),
        ("JDBC:hive2://h", 0, UrlProblem::Prefix),
    ] {
        let error = JdbcUrl::parse_target(text).unwrap_err();
        assert_eq!((error.offset(), error.problem().clone()), (offset, problem));
    }
}

#[test]
fn errors_are_shown_in_one_line_and_with_a_caret() {
    let error = JdbcUrl::parse("jdbc:hive2://zk1:2181;password=hunter2").unwrap_err();
    assert_eq!(
        error.to_string(),
        "malformed URL at byte 21 (before `;password=***`): a '/' is missing between the hosts and the session variables; write host:port/;name=value"
    );
    assert_eq!(
        error.pointed(),
        "jdbc:hive2://zk1:2181;password=***\n                     ^ a '/' is missing between the hosts and the session variables; write host:port/;name=value"
    );
    assert!(!format!("{error:?}").contains("hunter2"));
    let error = JdbcUrl::parse("jdbc:hive2://").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("malformed URL at byte 13 (its end): ")
    );
    // The caret stays in sight in a long URL.
    let long = format!("jdbc:hive2://h/{};a=%", "x".repeat(500));
    let error = JdbcUrl::parse(&long).unwrap_err();
    let lines = error.pointed();
    let (url, caret) = lines.split_once('\n').unwrap();
    assert_eq!(url.find('%'), caret.find('^'));
    assert!(url.len() < 120);
}

#[test]
fn secrets_are_never_shown() {
    let url = read(
        "jdbc:hive2://h/;user=me;password=S3;trustStorePassword=S3;http.header.Authorization=S3?fs.s3a.secret.key=S3;user=a&password=S3#my_token=S3",
    );
    for shown in [
        url.to_string(),
        format!("{url:?}"),
        format!("{:?}", url.session_vars()),
    ] {
        assert!(!shown.contains("S3"), "{shown}");
        assert!(shown.contains("me"), "{shown}");
    }
    assert_eq!(url.to_text_with_secrets().matches("S3").count(), 6);
}

#[test]
fn properties_come_after_the_url() {
    let properties = [
        ("user", "other"),
        ("password", "a;b"),
        ("auth", "noSasl"),
        ("hiveconf:k", "v"),
        ("hivevar:x", "y"),
        ("fetchSize", "7"),
    ];
    let url = read("jdbc:hive2://h/;user=me;auth=jwt").with_properties(properties);
    assert_eq!((url.user(), url.password()), (Some("me"), None));
    assert_eq!(url.session_vars().get("auth"), Some("noSasl"));
    assert_eq!(url.session_vars().get("fetchSize"), None);
    assert_eq!(url.hive_confs().get("k"), Some("v"));
    assert_eq!(url.hive_vars().get("x"), Some("y"));
    let url = read("jdbc:hive2://h").with_properties(properties);
    assert_eq!((url.user(), url.password()), (Some("other"), Some("a;b")));
}
