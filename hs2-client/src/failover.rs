//! From a URL to a session: directly, or through ZooKeeper and the servers registered there.

use crate::connection::Connection;
use crate::error::Error;
use crate::options::{Auth, ConnectOptions, PROXY_USER, SessionOptions};
use crate::session::Session;
use discovery::{Discovery, JdbcUrl};

/// Opens a session by a `jdbc:hive2://` URL, or by a plain `host:port`.
///
/// With `serviceDiscoveryMode=zooKeeper` the servers registered in the namespace are tried in a random order, each
/// at most once: one that is dead, hangs or opens no session is passed over; a refused login ends the search, since
/// every server would refuse it. The URL's user, password, `auth=noSasl`, database, settings, variables and
/// `fetchSize` count before those of `connect` and `session`.
///
/// # Errors
/// [`Error::AllFailed`] names every server that was tried through ZooKeeper and why it could not be used;
/// [`Error::LoginRefused`] as soon as one refuses; [`Error::Discovery`] when there was none to try;
/// [`Error::Url`], and [`Error::Unsupported`] for what this client, or this build of it, does not do. For a direct URL the
/// error is that of its server.
///
/// # Cancel safety
/// Safe: what was begun ends.
pub async fn connect(
    url: &str,
    connect: &ConnectOptions,
    session: &SessionOptions,
) -> Result<Session, Error> {
    let url = JdbcUrl::parse_target(url)?;
    match url.discovery() {
        Discovery::None => open(&url, connect, session).await,
        #[cfg(feature = "zookeeper")]
        Discovery::ZooKeeper {
            connect_string,
            namespace,
            tls: false,
        } => through_zookeeper(&url, connect_string, namespace, connect, session).await,
        Discovery::ZooKeeper { .. } if cfg!(feature = "zookeeper") => Err(Error::Unsupported(
            "this client cannot speak to ZooKeeper over TLS".to_owned(),
        )),
        _ => Err(Error::Unsupported(
            "this client was built without the feature zookeeper: give the server as host:port"
                .to_owned(),
        )),
    }
}

/// A session with the URL's own server.
async fn open(
    url: &JdbcUrl,
    connect: &ConnectOptions,
    session: &SessionOptions,
) -> Result<Session, Error> {
    let (connect, session) = with_url(url, connect, session)?;
    let Some(server) = url.hosts().first() else {
        return Err(Error::Unsupported("the URL names no server".to_owned()));
    };
    let connection = Connection::connect(server.host(), server.port(), &connect).await?;
    Session::open(&connection, &connect.auth, &session).await
}

/// Servers that are tried before giving up: a fleet of which so many are dead has another problem, and each may cost
/// a timeout.
#[cfg(feature = "zookeeper")]
const ATTEMPTS_MAX: usize = 16;

#[cfg(feature = "zookeeper")]
async fn through_zookeeper(
    url: &JdbcUrl,
    connect_string: &str,
    namespace: &discovery::Namespace,
    connect: &ConnectOptions,
    session: &SessionOptions,
) -> Result<Session, Error> {
    use crate::error::Attempt;
    use discovery::{Candidates, Ensemble, ResolveError};

    // What the URL asks for in vain is said before anything is tried.
    with_url(url, connect, session)?;
    let nothing_found = |error: &dyn std::error::Error| Error::Discovery(error.to_string());
    let ensemble = Ensemble::new(connect_string).map_err(|error| nothing_found(&error))?;
    let mut candidates = Candidates::list(&ensemble, namespace, None)
        .await
        .map_err(|error| nothing_found(&error))?;
    let mut attempts = Vec::new();
    while attempts.len() < ATTEMPTS_MAX {
        let instance = match candidates.next().await {
            Ok(Some(instance)) => instance,
            Ok(None) => break,
            Err(ResolveError::Data { path, source }) => {
                attempts.push(Attempt {
                    server: path,
                    error: Error::Discovery(source.to_string()),
                });
                continue;
            }
            Err(error) if attempts.is_empty() => return Err(nothing_found(&error)),
            Err(error) => {
                attempts.push(Attempt {
                    server: connect_string.to_owned(),
                    error: nothing_found(&error),
                });
                break;
            }
        };
        let (server, opened) = match instance.data.direct_url(url) {
            Ok(direct) => {
                let server = direct.hosts().first().map(ToString::to_string);
                (
                    server.unwrap_or(instance.path),
                    open(&direct, connect, session).await,
                )
            }
            Err(error) => (instance.path, Err(nothing_found(&error))),
        };
        match opened {
            Ok(session) => return Ok(session),
            Err(error @ Error::LoginRefused { .. }) => return Err(error),
            Err(error) => {
                tracing::info!(%server, %error, "passing over a registered server");
                attempts.push(Attempt { server, error });
            }
        }
    }
    Err(Error::AllFailed(attempts))
}

/// What a URL says about the way to the server.
mod transport {
    use super::{ConnectOptions, Error, JdbcUrl};

    pub(super) fn set(url: &JdbcUrl, connect: &mut ConnectOptions) -> Result<(), Error> {
        let var = |name| url.session_vars().get(name);
        match var("ssl") {
            Some(ssl) if ssl.eq_ignore_ascii_case("true") => tls(url, connect)?,
            // The URL counts before the options.
            #[cfg(feature = "tls")]
            Some(_) => connect.tls = None,
            _ => {}
        }
        match var("transportMode") {
            None => Ok(()),
            Some(mode) if mode.eq_ignore_ascii_case("http") => http(url, connect),
            Some(mode) if mode.eq_ignore_ascii_case("binary") => {
                #[cfg(feature = "http")]
                {
                    connect.http_path = None;
                }
                Ok(())
            }
            Some(mode) => Err(Error::Unsupported(format!(
                "transportMode={mode} is neither binary nor http"
            ))),
        }
    }

    #[cfg(feature = "tls")]
    fn tls(url: &JdbcUrl, connect: &mut ConnectOptions) -> Result<(), Error> {
        use crate::transport::Tls;
        let var = |name| url.session_vars().get(name);
        let two_way = var("twoWay").is_some_and(|two_way| two_way.eq_ignore_ascii_case("true"));
        // A trust store of the URL takes the place of what was given.
        if two_way && (connect.tls.is_none() || var("sslTrustStore").is_some()) {
            let text = "a URL names no certificate of the client's own (twoWay=true): give ConnectOptions a rustls configuration that has one, and the URL no sslTrustStore";
            return Err(Error::Unsupported(text.to_owned()));
        }
        connect.tls = Some(match (var("sslTrustStore"), connect.tls.take()) {
            (Some(file), _) => Tls::trust_file(file)?,
            (None, Some(given)) => given,
            (None, None) => Tls::system()?,
        });
        Ok(())
    }

    #[cfg(not(feature = "tls"))]
    fn tls(_: &JdbcUrl, _: &mut ConnectOptions) -> Result<(), Error> {
        let text = "this client was built without the feature tls (ssl=true)";
        Err(Error::Unsupported(text.to_owned()))
    }

    #[cfg(feature = "http")]
    fn http(url: &JdbcUrl, connect: &mut ConnectOptions) -> Result<(), Error> {
        let path = url.session_vars().get("httpPath").unwrap_or("cliservice");
        connect.http_path = Some(path.to_owned());
        Ok(())
    }

    #[cfg(not(feature = "http"))]
    fn http(_: &JdbcUrl, _: &mut ConnectOptions) -> Result<(), Error> {
        let text = "this client was built without the feature http (transportMode=http)";
        Err(Error::Unsupported(text.to_owned()))
    }
}

/// Who the URL says the client is; what it leaves out is as `given`.
fn auth(url: &JdbcUrl, given: &Auth) -> Result<Auth, Error> {
    let var = |name| url.session_vars().get(name);
    let is = |name, value: &str| var(name).is_some_and(|given| given.eq_ignore_ascii_case(value));
    let unsupported = |text: String| Err(Error::Unsupported(text));
    if let Some(auth @ ("delegationToken" | "jwt" | "browser")) = var("auth") {
        return unsupported(format!("this client cannot connect with auth={auth}"));
    }
    let no_sasl = is("auth", "noSasl");
    // As with Hive's driver, this goes before user and password.
    match var("principal") {
        Some(principal) if !no_sasl => return kerberos(url, principal),
        None if is("auth", "kerberos") => {
            return unsupported(
                "auth=kerberos needs the server's principal: add principal=hive/_HOST@REALM"
                    .to_owned(),
            );
        }
        _ => {}
    }
    let (given_user, given_password) = match given {
        Auth::Plain { user, password } => (user.as_str(), password.as_str()),
        Auth::NoSasl { user } => (user.as_str(), ""),
        #[cfg(feature = "gssapi")]
        Auth::Kerberos { .. } if url.user().is_none() && !no_sasl => return Ok(given.clone()),
        #[cfg(feature = "gssapi")]
        Auth::Kerberos { .. } => ("", ""),
    };
    // As with Hive's driver: a password counts only beside its user.
    let (user, password) = match url.user() {
        Some(user) => (user, url.password().unwrap_or_default()),
        None => (given_user, given_password),
    };
    let user = user.to_owned();
    Ok(match given {
        Auth::NoSasl { .. } if no_sasl || var("auth").is_none() => Auth::NoSasl { user },
        _ if no_sasl => Auth::NoSasl { user },
        _ => Auth::Plain {
            user,
            password: password.to_owned(),
        },
    })
}

#[cfg(feature = "gssapi")]
fn kerberos(url: &JdbcUrl, principal: &str) -> Result<Auth, Error> {
    let var = |name| url.session_vars().get(name);
    let unsupported = |text: String| Err(Error::Unsupported(text));
    if let Some(qop) = var("saslQop").filter(|qop| !qop.eq_ignore_ascii_case("auth")) {
        return unsupported(format!(
            "this client does not wrap messages (saslQop={qop}): leave it out, and protect them by ssl=true"
        ));
    }
    if var("transportMode").is_some_and(|mode| mode.eq_ignore_ascii_case("http")) {
        return unsupported(crate::transport::NO_SPNEGO.to_owned());
    }
    Ok(Auth::Kerberos {
        principal: principal.to_owned(),
    })
}

#[cfg(not(feature = "gssapi"))]
fn kerberos(_: &JdbcUrl, _: &str) -> Result<Auth, Error> {
    let text = "this client was built without the feature gssapi: it has no Kerberos (principal)";
    Err(Error::Unsupported(text.to_owned()))
}

/// The options with what the URL says about them.
fn with_url(
    url: &JdbcUrl,
    connect: &ConnectOptions,
    session: &SessionOptions,
) -> Result<(ConnectOptions, SessionOptions), Error> {
    let var = |name| url.session_vars().get(name);
    let mut connect = connect.clone();
    transport::set(url, &mut connect)?;
    connect.auth = auth(url, &connect.auth)?;

    let mut session = session.clone();
    if url.database() != "default" || session.database.is_none() {
        session.database = Some(url.database().to_owned());
    }
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    session.confs.extend(url.hive_confs().iter().map(owned));
    if let Some(user) = var(PROXY_USER) {
        session.proxy_user = Some(user.to_owned());
    }
    session.vars.extend(url.hive_vars().iter().map(owned));
    if let Some(rows) = var("fetchSize") {
        session.fetch_rows = match rows.parse() {
            Ok(rows) if rows > 0 => rows,
            _ => {
                return Err(Error::Unsupported(format!(
                    "fetchSize={rows} is no number of rows"
                )));
            }
        };
    }
    Ok((connect, session))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(url: &str) -> Result<(ConnectOptions, SessionOptions), Error> {
        let url = JdbcUrl::parse(url).unwrap();
        with_url(&url, &ConnectOptions::default(), &SessionOptions::default())
    }

    #[test]
    fn the_url_counts_before_the_options() {
        let (connect, session) =
            with("jdbc:hive2://h/sales;user=me;password=pw;fetchSize=7;hive.server2.proxy.user=you?a=b#c=d").unwrap();
        assert_eq!(
            connect.auth,
            Auth::Plain {
                user: "me".into(),
                password: "pw".into()
            }
        );
        assert_eq!(
            (session.database.as_deref(), session.fetch_rows),
            (Some("sales"), 7)
        );
        let configuration = session.configuration();
        let expected = [
            ("set:hiveconf:a", "b"),
            ("set:hivevar:c", "d"),
            ("use:database", "sales"),
            ("hive.server2.proxy.user", "you"),
        ];
        assert_eq!(
            configuration,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        let (connect, _) = with("jdbc:hive2://h/;auth=noSasl;user=me").unwrap();
        assert_eq!(connect.auth, Auth::NoSasl { user: "me".into() });
    }

    #[test]
    fn options_fill_what_the_url_leaves_out() {
        let url = JdbcUrl::parse_target("h:10000").unwrap();
        let auth = Auth::Plain {
            user: "me".into(),
            password: "pw".into(),
        };
        let given = ConnectOptions {
            auth: auth.clone(),
            ..Default::default()
        };
        let given_session = SessionOptions {
            database: Some("sales".into()),
            ..Default::default()
        };
        let (connect, session) = with_url(&url, &given, &given_session).unwrap();
        assert_eq!(
            (connect.auth, session.database.as_deref()),
            (auth, Some("sales"))
        );
        let given = ConnectOptions {
            auth: Auth::NoSasl { user: "me".into() },
            ..Default::default()
        };
        let (connect, _) = with_url(&url, &given, &given_session).unwrap();
        assert_eq!(connect.auth, Auth::NoSasl { user: "me".into() });
    }

    #[cfg(feature = "gssapi")]
    #[test]
    fn kerberos_goes_before_user_and_password() {
        let kerberos = Auth::Kerberos {
            principal: "hive/_HOST@R".into(),
        };
        for url in [
            "jdbc:hive2://h/;principal=hive/_HOST@R",
            "jdbc:hive2://h/;principal=hive/_HOST@R;auth=kerberos;saslQop=auth;user=me;password=pw",
        ] {
            assert_eq!(with(url).unwrap().0.auth, kerberos, "{url}");
        }
        let (connect, _) = with("jdbc:hive2://h/;auth=noSasl;principal=hive/_HOST@R").unwrap();
        assert_eq!(connect.auth, Auth::NoSasl { user: "".into() });
        // By options, which a user in the URL counts before.
        let given = ConnectOptions {
            auth: kerberos.clone(),
            ..Default::default()
        };
        let auth = |url| {
            let url = JdbcUrl::parse(url).unwrap();
            let made = with_url(&url, &given, &SessionOptions::default());
            made.unwrap().0.auth
        };
        assert_eq!(auth("jdbc:hive2://h/"), kerberos);
        assert_eq!(auth("jdbc:hive2://h/;user=me").user(), "me");
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        for (url, said) in [
            (
                "jdbc:hive2://h/;ssl=true;sslTrustStore=/nonexistent/x",
                "sslTrustStore=/nonexistent/x",
            ),
            ("jdbc:hive2://h/;ssl=true;twoWay=true", "twoWay"),
            (
                "jdbc:hive2://h/;transportMode=carrier",
                "transportMode=carrier",
            ),
            (
                "jdbc:hive2://h/;auth=kerberos",
                "principal=hive/_HOST@REALM",
            ),
            #[cfg(not(feature = "gssapi"))]
            ("jdbc:hive2://h/;principal=hive/_HOST@R", "feature gssapi"),
            #[cfg(feature = "gssapi")]
            (
                "jdbc:hive2://h/;principal=hive/_HOST@R;saslQop=auth-conf",
                "saslQop=auth-conf",
            ),
            #[cfg(all(feature = "gssapi", feature = "http"))]
            (
                "jdbc:hive2://h/;principal=hive/_HOST@R;transportMode=http",
                "SPNEGO",
            ),
            ("jdbc:hive2://h/;auth=jwt", "auth=jwt"),
            ("jdbc:hive2://h/;fetchSize=none", "fetchSize=none"),
        ] {
            let error = with(url).unwrap_err();
            assert!(
                matches!(error, Error::Unsupported(_)) && error.to_string().contains(said),
                "{error}"
            );
        }
    }
}
