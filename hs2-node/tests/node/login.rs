//! Passwords that are checked, by SASL PLAIN and by HTTP, with a check of the test's own.

use async_trait::async_trait;
use hs2_client::{Auth, ConnectOptions, Error, SessionOptions, connect};
use hs2_node::{Authenticator, LoginError};
use hs2_proto::tcli::OpenSessionReq;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::http::{Browser, open};
use super::{Fixture, soon};

#[derive(Debug, Default)]
struct Tiger {
    asked: AtomicUsize,
}

#[async_trait]
impl Authenticator for Tiger {
    async fn check(&self, user: &str, password: &str) -> Result<(), LoginError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match (user, password) {
            ("scott" | "hue", "tiger") => Ok(()),
            ("nobody", _) => Err(LoginError::Unavailable("no directory".to_owned())),
            _ => Err(LoginError::Refused),
        }
    }
}

const SETTINGS: &str = "hive.server2.transport.mode = all\nhadoop.proxyuser.hue.users = king";
/// scott:tiger, scott:lion, hue:tiger and nobody:x.
const SCOTT: &str = "\r\nAuthorization: Basic c2NvdHQ6dGlnZXI=";
const WRONG: &str = "\r\nAuthorization: basic c2NvdHQ6bGlvbg==";
const HUE: &str = "\r\nAuthorization: Basic aHVlOnRpZ2Vy";
const NOBODY: &str = "\r\nAuthorization: Basic bm9ib2R5Ong=";

#[tokio::test]
async fn sasl_lets_in_who_knows_the_password() {
    let fixture = Fixture::with_logins(SETTINGS, Arc::new(Tiger::default())).await;
    let login = async |user: &str, password: &str| {
        let options = ConnectOptions {
            auth: Auth::Plain {
                user: user.to_owned(),
                password: password.to_owned(),
            },
            ..ConnectOptions::default()
        };
        let session = SessionOptions::default();
        soon(connect(&fixture.url(), &options, &session)).await
    };
    assert!(login("scott", "tiger").await.is_ok());
    let error = login("scott", "lion").await.unwrap_err();
    assert!(
        matches!(&error, Error::LoginRefused { message, .. } if message == "Error validating the login")
    );
    // Another node may know: this is no refusal.
    let error = login("nobody", "x").await.unwrap_err();
    assert!(error.is_worth_another_server(), "{error}");
    assert!(
        error.to_string().contains("cannot be checked now"),
        "{error}"
    );
    let options = ConnectOptions {
        auth: Auth::NoSasl {
            user: "scott".to_owned(),
        },
        ..ConnectOptions::default()
    };
    let error = soon(connect(
        &fixture.url(),
        &options,
        &SessionOptions::default(),
    ))
    .await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("this node checks passwords"), "{error}");
}

#[tokio::test]
async fn a_cookie_stands_for_the_password_on_the_node_that_made_it() {
    let tiger = Arc::new(Tiger::default());
    let fixture = Fixture::with_logins(SETTINGS, tiger.clone()).await;
    let mut browser = Browser::connect(fixture.node.address()).await;
    let answer = browser.post(&open(), SCOTT).await;
    assert!(answer.reply::<OpenSessionReq>().status.is_success());
    let set = answer.header("set-cookie").unwrap();
    assert!(
        set.starts_with("hive.server2.auth=cu=") && !set.contains("Secure"),
        "{set}"
    );
    let cookie = format!("\r\nCookie: {}", set.split_once(';').unwrap().0);
    let again = browser.post(&open(), &cookie).await;
    assert!(again.reply::<OpenSessionReq>().status.is_success());
    assert_eq!(again.header("set-cookie"), None);
    assert_eq!(fixture.users(), ["scott", "scott"]);
    assert_eq!(tiger.asked.load(Ordering::Relaxed), 1);
    // PyHive shows its password with every call, and is checked once a minute.
    assert_eq!(browser.post(&open(), SCOTT).await.status, 200);
    assert_eq!(tiger.asked.load(Ordering::Relaxed), 1);
    let other = Fixture::with_logins(SETTINGS, tiger.clone()).await;
    let mut other = Browser::connect(other.node.address()).await;
    let refused = other.post(&open(), &cookie).await;
    assert_eq!(
        (refused.status, refused.header("www-authenticate").is_some()),
        (401, true)
    );
}

#[tokio::test]
async fn http_refuses_whom_it_does_not_know() {
    let fixture = Fixture::with_logins(SETTINGS, Arc::new(Tiger::default())).await;
    for (headers, status, said) in [
        (
            "",
            401,
            "Authentication Error: Authorization header received from the client is empty.",
        ),
        (
            WRONG,
            401,
            "Authentication Error: Error validating the login",
        ),
        (
            "\r\nAuthorization: Negotiate abc",
            401,
            "Authentication Error: Basic with user and password is expected",
        ),
        (NOBODY, 503, "the password cannot be checked now"),
    ] {
        let mut browser = Browser::connect(fixture.node.address()).await;
        let answer = browser.post(&open(), headers).await;
        assert_eq!(
            (answer.status, answer.text().trim_end()),
            (status, said),
            "{headers}"
        );
        assert_eq!(answer.header("retry-after").is_some(), status == 503);
        assert_eq!(answer.header("set-cookie"), None);
    }
    assert_eq!(fixture.sessions(), 0);
}

#[tokio::test]
async fn who_may_act_for_whom_is_a_setting() {
    let fixture = Fixture::with_logins(SETTINGS, Arc::new(Tiger::default())).await;
    let mut browser = Browser::connect(fixture.node.address()).await;
    let opened = browser.post_to("/cliservice?doAs=king", &open(), HUE).await;
    assert!(opened.reply::<OpenSessionReq>().status.is_success());
    assert_eq!(fixture.users(), ["king"]);
    for (path, headers) in [
        ("/cliservice?doAs=king", SCOTT),
        ("/cliservice?doAs=scott", HUE),
    ] {
        let refused = browser.post_to(path, &open(), headers).await;
        let status = refused.reply::<OpenSessionReq>().status;
        assert_eq!(status.sql_state.as_deref(), Some("08S01"));
        let message = status.error_message.unwrap();
        assert!(
            message.contains("Failed to validate proxy privilege"),
            "{message}"
        );
    }
}
