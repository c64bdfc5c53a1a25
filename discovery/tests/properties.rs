//! What must hold for any text: nothing panics, positions lie in the text, what was written reads
//! back, and secrets stay hidden.
#![allow(clippy::unwrap_used)] // A test that panics is a test that fails.

use discovery::{
    Endpoint, InstanceData, InstanceName, JdbcUrl, Published, SequenceNumber, TransportMode,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Texts made of what URLs are made of, so that most of them get past the prefix.
fn url_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("jdbc:hive2://"),
        Just("h"),
        Just("zk1:2181"),
        Just("[::1]"),
        Just(","),
        Just(":"),
        Just("/"),
        Just(";"),
        Just("?"),
        Just("#"),
        Just("="),
        Just("@"),
        Just("%"),
        Just("%3B"),
        Just("%3D"),
        Just("%C3%BC"),
        Just("%ff"),
        Just("ü"),
        Just(" "),
        Just("\u{1b}"),
        Just("user"),
        Just("Password=x"),
        Just("serviceDiscoveryMode=zooKeeper"),
        Just("serviceDiscoveryMode="),
        Just("zooKeeperNamespace=/a/"),
        Just("hive.server2.transport.mode=http"),
    ];
    let tail = vec(piece, 0..24).prop_map(|pieces| pieces.concat());
    (any::<bool>(), tail).prop_map(|(prefix, tail)| {
        let prefix = if prefix { "jdbc:hive2://h" } else { "" };
        format!("{prefix}{tail}")
    })
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    let host = prop_oneof![
        "[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,40}",
        any::<std::net::Ipv4Addr>().prop_map(|ip| ip.to_string()),
        any::<std::net::Ipv6Addr>().prop_map(|ip| ip.to_string()),
    ];
    (host, 1..=u16::MAX).prop_map(|(host, port)| Endpoint::new(&host, port).unwrap())
}

/// Pairs with names that the driver does not use, and values that no `;` divides.
fn pairs() -> impl Strategy<Value = Vec<(String, String)>> {
    vec(("x[^;=]{0,8}", "[^;]{0,8}"), 0..4)
}

fn list(pairs: &[(String, String)]) -> String {
    let hex = |text: &str| -> String { text.bytes().map(|b| format!("%{b:02x}")).collect() };
    let pairs: Vec<String> = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", hex(name), hex(value)))
        .collect();
    pairs.join(";")
}

fn positions_are_in(text: &str) {
    for result in [JdbcUrl::parse(text), JdbcUrl::parse_target(text)] {
        if let Err(error) = result {
            assert!(
                text.is_char_boundary(error.offset()),
                "{text:?}: {}",
                error.offset()
            );
            let _ = (error.to_string(), format!("{error:?}"));
            let pointed = error.pointed();
            let (line, caret) = pointed.split_once('\n').unwrap();
            let column = caret.chars().position(|c| c == '^').unwrap();
            assert!(column <= line.chars().count(), "{pointed}");
        }
    }
}

/// A URL that can be read is written so that it reads as the same URL.
fn reads_back(url: &JdbcUrl) {
    let text = url.to_text_with_secrets();
    let again = JdbcUrl::parse(&text).unwrap_or_else(|error| panic!("{}", error.pointed()));
    assert_eq!(again.hosts(), url.hosts());
    assert_eq!(again.database(), url.database());
    assert_eq!(again.session_vars(), url.session_vars());
    assert_eq!(again.hive_confs(), url.hive_confs());
    assert_eq!(again.hive_vars(), url.hive_vars());
    assert_eq!(again.discovery(), url.discovery());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_url_or_an_error_with_a_position(text in any::<String>()) {
        positions_are_in(&text);
        positions_are_in(&format!("jdbc:hive2://{text}"));
        positions_are_in(&format!("jdbc:hive2://h/{text}"));
    }

    #[test]
    fn a_text_like_a_url_is_one_that_reads_back_or_an_error(text in url_like()) {
        positions_are_in(&text);
        if let Ok(url) = JdbcUrl::parse(&text) {
            reads_back(&url);
        }
    }

    #[test]
    fn a_url_says_what_was_put_into_it(
        hosts in vec(endpoint(), 1..4),
        database in "[^;]{1,12}",
        session in pairs(),
        confs in pairs(),
        vars in pairs(),
    ) {
        let authority: Vec<String> = hosts.iter().map(Endpoint::to_string).collect();
        let escaped: String = database.bytes().map(|b| format!("%{b:02X}")).collect();
        let text = format!(
            "jdbc:hive2://{}/{escaped};{}?{}#{}",
            authority.join(","), list(&session), list(&confs), list(&vars),
        );
        let repeated = session.iter().enumerate().any(|(i, a)| session[..i].iter().any(|b| a.0 == b.0));
        prop_assume!(!repeated);
        let url = JdbcUrl::parse(&text).unwrap_or_else(|error| panic!("{}", error.pointed()));
        prop_assert_eq!(url.hosts(), hosts);
        prop_assert_eq!(url.database(), database);
        let session: Vec<(&str, &str)> = session.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        prop_assert_eq!(url.session_vars().iter().collect::<Vec<_>>(), session);
        for (name, value) in url.hive_confs().iter() {
            let last = confs.iter().rfind(|(other, _)| other == name).unwrap();
            prop_assert_eq!(value, &last.1);
        }
        prop_assert!(vars.iter().all(|(name, _)| url.hive_vars().get(name).is_some()));
        reads_back(&url);
    }

    #[test]
    fn a_password_is_never_shown(before in url_like(), after in url_like()) {
        const SECRET: &str = "Zq9hunter2";
        for text in [
            format!("{before};password={SECRET}{after}"),
            format!("jdbc:hive2://h/db;password={SECRET}{after}"),
            format!("jdbc:hive2://h/?user=me&password={SECRET}{after}"),
        ] {
            for result in [JdbcUrl::parse(&text), JdbcUrl::parse_target(&text)] {
                let shown = match result {
                    Ok(url) => {
                        let warnings: String = url.warnings().iter().map(|w| w.to_string()).collect();
                        format!("{url} {url:?} {warnings}")
                    }
                    Err(error) => format!("{error} {error:?} {}", error.pointed()),
                };
                prop_assert!(!shown.contains(SECRET), "{text}: {shown}");
            }
        }
    }

    #[test]
    fn any_child_name_is_an_instance_that_reads_as_it_was_written_or_none(text in any::<String>()) {
        for text in [text.clone(), format!("serverUri={text}"), format!("serverUri=h:1;{text};sequence=0000000001")] {
            if let Ok(name) = text.parse::<InstanceName>() {
                prop_assert_eq!(name.as_str(), text);
            }
        }
    }

    #[test]
    fn a_name_that_was_built_is_an_instance(
        endpoint in endpoint(),
        version in any::<String>(),
        number in any::<i32>(),
    ) {
        let sequence = SequenceNumber::new(number);
        prop_assert_eq!(sequence.to_string().parse(), Ok(sequence));
        if let Ok(prefix) = InstanceName::prefix(&endpoint, &version) {
            let name: InstanceName = format!("{prefix}{sequence}").parse().unwrap();
            prop_assert_eq!(name.endpoint(), &endpoint);
            prop_assert!(name.matches_version(&version));
            prop_assert_eq!(name.sequence(), sequence);
        }
    }

    #[test]
    fn any_data_is_an_instance_or_an_error(data in any::<Vec<u8>>(), text in "[a-z.=;:0-9]{0,40}") {
        let _ = InstanceData::parse(&data);
        if let Ok(data) = InstanceData::parse(text.as_bytes()) {
            let text = data.to_text().unwrap();
            prop_assert_eq!(InstanceData::parse(text.as_bytes()), Ok(data));
        }
    }

    #[test]
    fn published_data_reads_as_it_was_written(
        uri in option::of(endpoint()),
        host in option::of("[a-z0-9.-]{1,20}"),
        ports in (option::of(1..=u16::MAX), option::of(1..=u16::MAX)),
        mode in option::of(prop_oneof![Just(TransportMode::Binary), Just(TransportMode::Http), Just(TransportMode::All)]),
        texts in (option::of("[a-z/=]{0,9}"), option::of("[A-Z,]{0,9}"), option::of("[a-z/_@=]{0,9}")),
        use_ssl in any::<bool>(),
    ) {
        let data = InstanceData::Configs(Box::new(Published {
            instance_uri: uri,
            bind_host: host,
            transport_mode: mode,
            thrift_port: ports.0,
            http_port: ports.1,
            http_path: texts.0,
            sasl_qop: None,
            authentication: texts.1,
            principal: texts.2,
            use_ssl: Some(use_ssl),
            other: Vec::new(),
        }));
        let text = data.to_text().unwrap();
        prop_assert_eq!(InstanceData::parse(text.as_bytes()), Ok(data));
    }
}
