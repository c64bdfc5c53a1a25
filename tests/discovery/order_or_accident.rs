use std::net::SocketAddr;

use tests::backend::Backend;
use tests::on_each_backend;
use tests::proxy::Proxy;
use tests::wait;

use crate::fixture::{Listed, SHORT, SOON};

on_each_backend!(
    a_deleted_znode_is_an_order,
    changed_data_does_not_hide_the_deletion,
    a_cut_within_the_session_timeout_changes_nothing,
    a_deletion_during_a_cut_is_an_order,
    an_instance_cut_off_for_long_registers_again_by_itself,
    an_instance_that_met_silence_for_long_registers_again_by_itself,
);

async fn a_deleted_znode_is_an_order(backend: Backend) {
    let servers = backend.connect_string();
    let listed = Listed::register(&servers, &servers, SHORT).await;
    listed.obeys_deletion().await;
}

/// Hive loses its watch here: a data change fires it, and it is not set again.
async fn changed_data_does_not_hide_the_deletion(backend: Backend) {
    let servers = backend.connect_string();
    let listed = Listed::register(&servers, &servers, SHORT).await;
    for round in 0..3 {
        let data = format!("round {round}");
        listed.admin.set_data(&listed.path(), data.as_bytes()).await;
    }
    listed.obeys_deletion().await;
}

async fn a_cut_within_the_session_timeout_changes_nothing(backend: Backend) {
    let (proxy, listed) = behind_proxy(&backend).await;
    let path = listed.path();
    let owner = listed.admin.owner(&path).await;
    for _ in 0..3 {
        let before = proxy.accepted();
        proxy.reset_open();
        wait::until("it connects again", SOON, async || {
            proxy.accepted() > before
        })
        .await;
    }
    // For longer than the session could live without a connection.
    listed.admin.list_stays(&path, SHORT * 2).await;
    assert_eq!(listed.admin.owner(&path).await, owner);
    listed.obeys_deletion().await;
}

async fn a_deletion_during_a_cut_is_an_order(backend: Backend) {
    let (proxy, listed) = behind_proxy(&backend).await;
    proxy.cut();
    let path = listed.path();
    listed.admin.delete(&path).await;
    proxy.heal();
    let mut states = listed.registration.state();
    let over = |state: &discovery::RegistrationState| {
        matches!(state, discovery::RegistrationState::Deregistered { .. })
    };
    crate::fixture::state(&mut states, over).await;
    assert!(listed.admin.names().await.is_empty());
}

/// The server ends the session and takes the znode away; the instance learns of it when it is back.
async fn an_instance_cut_off_for_long_registers_again_by_itself(backend: Backend) {
    let (proxy, listed) = behind_proxy(&backend).await;
    for _ in 0..2 {
        let path = listed.path();
        proxy.cut();
        listed.admin.list_is_empty().await;
        proxy.heal();
        let again = listed.registered_again(&path).await;
        listed.admin.list_stays(&again, SHORT * 2).await;
    }
    listed.obeys_deletion().await;
}

/// The same where nobody tells it: packets vanish, connections stay open.
async fn an_instance_that_met_silence_for_long_registers_again_by_itself(backend: Backend) {
    let (proxy, listed) = behind_proxy(&backend).await;
    let path = listed.path();
    proxy.blackhole();
    listed.admin.list_is_empty().await;
    proxy.heal();
    let again = listed.registered_again(&path).await;
    listed.admin.list_stays(&again, SHORT * 2).await;
    listed.obeys_deletion().await;
}

/// Expired by the server over an open connection: the znode's deletion may be the last thing that the session reads.
#[tokio::test]
async fn an_expired_session_is_an_accident() {
    let backend = Backend::embedded().await;
    let Backend::Embedded(server, _) = &backend else {
        unreachable!("it was started as the embedded one")
    };
    let servers = backend.connect_string();
    let listed = Listed::register(&servers, &servers, SHORT).await;
    for _ in 0..5 {
        let path = listed.path();
        assert!(server.expire_session(listed.admin.owner(&path).await));
        let again = listed.registered_again(&path).await;
        assert_eq!(listed.admin.paths().await, [again]);
    }
    listed.obeys_deletion().await;
}

async fn behind_proxy(backend: &Backend) -> (Proxy, Listed) {
    let servers = backend.connect_string();
    let address: SocketAddr = servers.parse().unwrap();
    let proxy = Proxy::start(address).await;
    let listed = Listed::register(&proxy.connect_string(), &servers, SHORT).await;
    (proxy, listed)
}
