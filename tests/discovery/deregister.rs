use discovery::{DeregisterError, DeregisteredBy, Registration, RegistrationState};
use tests::backend::Backend;
use tests::on_each_backend;

use crate::fixture::{Admin, SHORT, ensemble, instance, own_namespace, state};

on_each_backend!(exactly_one_version_leaves);

async fn exactly_one_version_leaves(backend: Backend) {
    let servers = backend.connect_string();
    let (ensemble, namespace) = (ensemble(&servers, SHORT), own_namespace("deregister"));
    let mut registered = Vec::new();
    for (port, version) in (10_000..).zip(["1.0", "1.0.1", "11.0", "1.0", "1.0-SNAPSHOT"]) {
        let instance = instance(&format!("h:{port}"), version);
        let registration = Registration::register(&ensemble, &namespace, &instance).await;
        registered.push(registration.unwrap());
    }
    let admin = Admin::connect(&servers, &namespace).await;

    let done = discovery::deregister(&ensemble, &namespace, "1.0").await;
    let done = done.unwrap();
    let removed = |port, number| {
        let namespace = namespace.path();
        format!("{namespace}/serverUri=h:{port};version=1.0;sequence={number:010}")
    };
    assert_eq!(done.removed, [removed(10_000, 0), removed(10_003, 3)]);
    assert!(done.survivors.is_empty(), "{done:?}");
    // The list shows it at once.
    let others = [
        "serverUri=h:10001;version=1.0.1;sequence=0000000001",
        "serverUri=h:10002;version=11.0;sequence=0000000002",
        "serverUri=h:10004;version=1.0-SNAPSHOT;sequence=0000000004",
    ];
    assert_eq!(admin.names().await, others);
    // Those that left know why; the others have noticed nothing.
    let by = DeregisteredBy::Other;
    for number in [0, 3] {
        let over = |state: &RegistrationState| *state == RegistrationState::Deregistered { by };
        state(&mut registered[number].state(), over).await;
    }
    for number in [1, 2, 4] {
        let state = registered[number].state();
        let state = state.borrow();
        assert!(
            matches!(*state, RegistrationState::Registered { .. }),
            "{state:?}"
        );
    }

    let again = discovery::deregister(&ensemble, &namespace, "1.0").await;
    let error = again.unwrap_err();
    let DeregisterError::NoSuchVersion { present, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(present, &["1.0-SNAPSHOT", "1.0.1", "11.0"]);
    let text = error.to_string();
    let said = format!(
        r#"no instance of version "1.0" is registered in {}; there are "1.0-SNAPSHOT", "1.0.1", "11.0""#,
        namespace.path()
    );
    assert_eq!(text, said);
    assert_eq!(admin.names().await, others);
}
