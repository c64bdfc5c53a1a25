use hs2_client::{Auth, ConnectOptions, Error, SessionOptions, connect};

use crate::Server;

pub(crate) async fn of_statements_and_sessions(server: &Server) {
    let session = server.session().await;
    for (statement, state, said) in [
        (
            "SELECT * FROM no_such_table",
            server.either("42P01", "42S02"),
            "no_such_table",
        ),
        ("SELEC 1", server.either("42601", "42000"), "SELEC"),
        (
            "SELECT no_such_column FROM (SELECT 1 AS one) t",
            server.either("42703", "42000"),
            "no_such_column",
        ),
    ] {
        let error = session.query(statement).await.unwrap_err();
        assert_eq!(error.sql_state(), Some(state), "{statement}: {error}");
        let text = error.to_string();
        assert!(text.to_lowercase().contains(&said.to_lowercase()), "{text}");
        assert!(
            !text.contains("\n") && !text.contains("at org.apache"),
            "{text}"
        );
        let shown = format!("{error:?}");
        assert!(!shown.contains("at org.apache"), "{shown}");
    }
    // The session is as good as before.
    let batches = session.query("SELECT 1").await.unwrap().collect().await;
    assert_eq!(batches.unwrap().len(), 1);
    session.close().await.unwrap();

    let nowhere = SessionOptions {
        database: Some("no_such_database".to_owned()),
        ..Default::default()
    };
    let error = connect(&server.address, &ConnectOptions::default(), &nowhere)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Server(_)) && error.to_string().contains("no_such_database"),
        "{error}"
    );

    if !server.is_spark {
        // Our node sees at the first byte what a client speaks, and serves it.
        return;
    }
    let without_sasl = ConnectOptions {
        auth: Auth::NoSasl {
            user: "me".to_owned(),
        },
        ..Default::default()
    };
    let error = connect(&server.address, &without_sasl, &SessionOptions::default())
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(text.contains("connect without auth=noSasl"), "{text}");
}
