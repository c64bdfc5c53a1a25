//! What is read from text: the grammars of `zk-proto` and `discovery`, and Thrift's bytes.

use bytes::{Bytes, BytesMut};
use discovery::{InstanceData, InstanceName, JdbcUrl};
use hs2_proto::http::{Cookies, do_as, forwarded_for};
use hs2_proto::sasl::{Negotiation, Plain, take_frame};
use hs2_proto::tcli::{FetchResultsReq, OpenSessionReq, decode_call, decode_reply};
use hs2_proto::thrift::message_length;
use zk_proto::{Acl, ConnectString, four_letter, path};

/// Connect strings, ACLs, paths and the answers to four-letter words.
pub fn zk_text(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Ok(ConnectString { hosts, chroot }) = text.parse() {
        assert!(!hosts.is_empty());
        assert!(chroot.is_none_or(|chroot| path::check(&chroot).is_ok()));
    }
    let _ = text.parse::<Acl>();
    let _ = four_letter::parse_srvr(text);
    let _ = path::check_sequential(text);
    let _ = path::sequence(text);
    if path::check(text).is_ok()
        && let Some(parent) = path::parent(text)
    {
        assert_eq!(path::join(parent, path::name(text)), text);
        assert!(path::check(parent).is_ok());
    }
}

/// Thrift messages, SASL frames and the scanner of unframed messages.
pub fn thrift_message(input: &[u8]) {
    if let Ok(Some(length)) = message_length(input, 1 << 16) {
        assert!(length <= input.len());
    }
    let _ = Plain::parse(input);
    let mut buffer = BytesMut::from(input);
    while let Ok(Some(_)) = Negotiation::take(&mut buffer, 4096) {}
    let mut buffer = BytesMut::from(input);
    while let Ok(Some(frame)) = take_frame(&mut buffer, 4096) {
        assert!(frame.len() <= 4096);
    }
    let message = Bytes::copy_from_slice(input);
    let _ = decode_call(&message);
    let _ = decode_reply::<FetchResultsReq>(&message, 0);
    let _ = decode_reply::<OpenSessionReq>(&message, 0);
}

/// What comes with HTTP requests and answers: queries, headers of proxies, cookies. What is sent on fits a header.
pub fn http_text(input: &[u8]) {
    let on_a_line = |text: &str| text.bytes().all(|byte| (b' '..0x7f).contains(&byte));
    assert!(on_a_line(&forwarded_for(input)));
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    assert!(do_as(text).is_none_or(|user| !user.is_empty() && user.len() <= text.len()));
    let mut cookies = Cookies::default();
    for line in text.lines() {
        cookies.take(line, line.len() % 2 == 0);
    }
    let sent = cookies.header().unwrap_or_default();
    assert!(sent.len() <= text.len().saturating_mul(2) && sent.len() <= 1 << 17);
    assert!(!text.bytes().all(|byte| byte >= b' ') || sent.bytes().all(|byte| byte >= b' '));
}

/// URLs, instance names and znode data from anywhere: an error has its position inside the text and never a password.
pub fn jdbc_url(input: &[u8]) {
    let _ = InstanceData::parse(input);
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let _ = text.parse::<InstanceName>();
    match JdbcUrl::parse_target(text) {
        Ok(url) => {
            let again = JdbcUrl::parse(&url.to_text_with_secrets()).expect("a printed URL parses");
            assert_eq!(again.to_text_with_secrets(), url.to_text_with_secrets());
        }
        Err(error) => {
            assert!(error.offset() <= text.len());
            let _ = error.pointed();
        }
    }
}
