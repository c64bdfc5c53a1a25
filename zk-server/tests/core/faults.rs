use zk_proto::record::CreateMode;
use zk_proto::record::Request;
use zk_proto::{Acl, SessionId};
use zk_server::core::Loss;

use super::lab::{Lab, Said, create};

#[test]
fn a_write_whose_answer_is_lost_is_applied_and_told_to_others() {
    let mut lab = Lab::new();
    let (client, other) = (lab.client(), lab.client());
    lab.watch(other, "/a");
    assert!(lab.core.lose_next_write(client.session, Loss::Answer));
    // Reads are answered, and writes of others.
    assert!(lab.stat(client, "/a").is_none());
    lab.create(other, "/b").unwrap();
    lab.watch_children(client, "/");
    lab.send(
        client,
        &Request::Create(create("/a", CreateMode::PERSISTENT, Acl::OPEN)),
    );
    assert!(lab.core.is_over(client.connection));
    // The event of the write is there before its answer would have been.
    assert!(matches!(lab.said(client)[..], [Said::Event(_)]));
    assert_eq!(lab.events(other).len(), 1);
    // Once only.
    let client = lab.reattach(client).unwrap();
    assert!(lab.stat(client, "/a").is_some());
    lab.create(client, "/c").unwrap();
}

#[test]
fn a_write_that_is_lost_is_not_applied() {
    let mut lab = Lab::new();
    let client = lab.client();
    assert!(lab.core.lose_next_write(client.session, Loss::Request));
    lab.send(
        client,
        &Request::Create(create("/a", CreateMode::PERSISTENT, Acl::OPEN)),
    );
    assert!(lab.core.is_over(client.connection));
    assert!(lab.said(client).is_empty());
    let client = lab.reattach(client).unwrap();
    assert!(lab.stat(client, "/a").is_none());
    lab.create(client, "/a").unwrap();
}

#[test]
fn faults_of_a_session_that_does_not_exist_are_none() {
    let mut lab = Lab::new();
    let nobody = SessionId(77);
    assert!(!lab.core.lose_next_write(nobody, Loss::Answer));
    assert!(!lab.core.drop_connection(nobody));
    assert!(!lab.core.expire_session(lab.now, nobody));
    let client = lab.client();
    assert!(lab.core.drop_connection(client.session));
    assert!(lab.core.is_over(client.connection));
    assert!(!lab.core.drop_connection(client.session));
    assert!(lab.reattach(client).is_some());
}
