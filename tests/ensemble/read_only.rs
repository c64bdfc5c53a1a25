use std::time::Duration;

use tests::ensemble::{Ensemble, SERVING_DEADLINE};
use tests::release::Release;
use tests::wait;
use tokio::time::timeout;
use zk_client::{
    Client, ConnectOptions, CreateMode, ErrorCode, Outcome, SessionState, ZnodeVersion,
};

/// Longer than an election takes, also on a busy machine.
const SOON: Duration = Duration::from_secs(60);

const PATH: &str = "/kept";

/// A session of 3.4 goes on at a member that is left alone, if it asked for that, and writes again with a quorum.
#[tokio::test]
async fn a_session_goes_on_reading_without_a_quorum() {
    let releases = [Release::V3_4; 3];
    let ensemble = Ensemble::options().releases(&releases).read_only();
    let mut ensemble = ensemble.start().await;
    let reader = prepared(&ensemble, true).await;
    let session = reader.session_id();
    alone(&mut ensemble).await;
    reads_only(&reader).await;
    whole(&mut ensemble).await;
    writes(&reader).await;
    assert_eq!(reader.session_id(), session);
}

/// From 3.6 on a member that is left alone takes no session that the ensemble knows, and new ones only where they may be
/// the member's own. Such a session is replaced by a real one once there is a quorum, as in the Java client.
#[tokio::test]
async fn a_new_reader_is_served_without_a_quorum() {
    let ensemble = Ensemble::options()
        .releases(&[Release::V3_9; 3])
        .read_only()
        .line("localSessionsEnabled=true")
        .line("localSessionsUpgradingEnabled=true");
    let mut ensemble = ensemble.start().await;
    // It has not asked to be served without a quorum.
    let writer = prepared(&ensemble, false).await;
    alone(&mut ensemble).await;
    let reader = connect(&ensemble, true).await;
    reads_only(&reader).await;
    let waiting = timeout(Duration::from_secs(2), writer.get_data(PATH)).await;
    assert!(waiting.is_err(), "served without a quorum: {waiting:?}");
    whole(&mut ensemble).await;
    writes(&writer).await;
    writes(&reader).await;
}

/// The member that is left.
const LEFT: usize = 0;

/// A client of an ensemble where each member has the znode.
async fn prepared(ensemble: &Ensemble, read_only: bool) -> Client {
    let client = connect(ensemble, read_only).await;
    let created = client.create(PATH, b"before", CreateMode::PERSISTENT);
    created.await.unwrap();
    // Where sessions begin as a member's own, an ephemeral znode makes it the ensemble's.
    let created = client.create("/mine", b"", CreateMode::EPHEMERAL);
    created.await.unwrap();
    // What the member has not seen, it cannot show.
    let left = ensemble.addresses()[LEFT].to_string();
    let there = Client::connect(&left).await.unwrap();
    there.sync(PATH).await.unwrap();
    there.close().await;
    client
}

async fn alone(ensemble: &mut Ensemble) {
    for member in (0..ensemble.members()).filter(|member| *member != LEFT) {
        ensemble.kill(member).await;
    }
    ensemble.wait_until_read_only(LEFT, SOON).await;
}

async fn whole(ensemble: &mut Ensemble) {
    for member in (0..ensemble.members()).filter(|member| *member != LEFT) {
        ensemble.start_again(member).await;
    }
    ensemble.wait_until_serving(SERVING_DEADLINE).await;
}

async fn reads_only(client: &Client) {
    reached(client, SessionState::ConnectedReadOnly).await;
    let (data, _) = client.get_data(PATH).await.unwrap();
    assert_eq!(&data[..], b"before");
    let written = client.set_data(PATH, b"", ZnodeVersion::ANY).await;
    let refused = written.unwrap_err();
    assert_eq!(
        (refused.code(), refused.outcome()),
        (Some(ErrorCode::NOT_READ_ONLY), Outcome::NotApplied)
    );
}

async fn writes(client: &Client) {
    reached(client, SessionState::Connected).await;
    wait::until("writes are taken again", SOON, async || {
        let written = client.set_data(PATH, b"after", ZnodeVersion::ANY).await;
        written.is_ok()
    })
    .await;
}

async fn connect(ensemble: &Ensemble, read_only: bool) -> Client {
    let options = ConnectOptions::new()
        .session_timeout(SOON)
        .request_timeout(SOON)
        .connect_timeout(SOON)
        .read_only(read_only);
    Client::connect_with(&ensemble.connect_string(), options)
        .await
        .unwrap()
}

async fn reached(client: &Client, wanted: SessionState) {
    let mut state = client.state();
    let found = timeout(SOON, state.wait_for(|state| *state == wanted)).await;
    assert!(
        found.is_ok(),
        "{:?} instead of {wanted:?}",
        client.state().borrow()
    );
}
