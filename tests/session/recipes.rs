use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::try_join_all;
use tests::backend::Backend;
use tests::on_each_backend;
use tests::proxy::Proxy;
use tests::wait;
use tests::zookeeper::unique_name;
use tokio::time::timeout;
use zk_client::recipes::{Election, Group, Held, Lock, Loss, Participant, RecipeError};
use zk_client::{Client, ConnectOptions, SessionEnd, SessionState, ZnodeVersion};

on_each_backend!(
    a_lock_is_held_by_one_at_a_time_with_growing_tokens,
    a_lock_is_given_in_the_order_of_asking,
    a_waiter_that_leaves_hands_nothing_over,
    a_dropped_wait_leaves_no_orphan_even_without_a_connection,
    a_lock_survives_a_cut_and_so_does_a_place_in_the_queue,
    a_lock_is_lost_with_its_session_and_another_gets_it,
    a_deleted_znode_is_a_lost_lock_or_place,
    try_lock_does_not_wait,
    a_lock_works_below_a_chroot,
    a_leader_is_followed_by_the_next_when_it_resigns_or_goes,
    members_come_and_go,
    a_group_is_watched_through_a_cut,
);

const T: Duration = Duration::from_secs(6);

async fn a_lock_is_held_by_one_at_a_time_with_growing_tokens(backend: Backend) {
    let path = unique_path("lock");
    let inside = AtomicU32::new(0);
    let contenders = (0..6).map(|_| async {
        let client = connect(&backend).await;
        let lock = Lock::new(&client, &path);
        let mut tokens = Vec::new();
        for _ in 0..5 {
            let held = soon(lock.lock()).await?;
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
            tokio::task::yield_now().await;
            tokens.push(held.fencing_token());
            inside.fetch_sub(1, Ordering::SeqCst);
            held.release().await?;
        }
        client.close().await;
        Ok::<_, RecipeError>(tokens)
    });
    let tokens = try_join_all(contenders).await.unwrap();
    let mut all: Vec<_> = tokens.iter().flatten().collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 30);
    assert!(tokens.iter().all(|own| own.is_sorted()));
}

async fn a_lock_is_given_in_the_order_of_asking(backend: Backend) {
    let path = unique_path("order");
    let client = connect(&backend).await;
    let lock = Lock::new(&client, &path);
    let mut held = lock.lock().await.unwrap();
    let mut waiting = Vec::new();
    for number in 1..=4_usize {
        let lock = lock.clone();
        waiting.push(tokio::spawn(async move { lock.lock().await.unwrap() }));
        queued(&client, &path, number + 1).await;
    }
    for next in waiting {
        assert!(!next.is_finished());
        let token = held.fencing_token();
        held.release().await.unwrap();
        held = soon(next).await.unwrap();
        assert!(held.fencing_token() > token);
    }
    client.close().await;
}

/// Who waits watches the one before it: when that one leaves, it is not its turn yet.
async fn a_waiter_that_leaves_hands_nothing_over(backend: Backend) {
    let path = unique_path("leaves");
    let client = connect(&backend).await;
    let lock = Lock::new(&client, &path);
    let held = lock.lock().await.unwrap();
    let second = tokio::spawn({
        let lock = lock.clone();
        async move { lock.lock().await }
    });
    queued(&client, &path, 2).await;
    let third = tokio::spawn({
        let lock = lock.clone();
        async move { lock.lock().await.unwrap() }
    });
    queued(&client, &path, 3).await;
    second.abort();
    queued(&client, &path, 2).await;
    // The third has looked again once its answers are here: a later request of its session is answered after them.
    for _ in 0..10 {
        client.sync(&path).await.unwrap();
    }
    assert!(!third.is_finished());
    held.release().await.unwrap();
    let third = soon(third).await.unwrap();
    third.release().await.unwrap();
    queued(&client, &path, 0).await;
    client.close().await;
}

async fn a_dropped_wait_leaves_no_orphan_even_without_a_connection(backend: Backend) {
    let path = unique_path("orphan");
    let (proxy, client) = proxied(&backend).await;
    let other = connect(&backend).await;
    let held = Lock::new(&other, &path).lock().await.unwrap();
    let lock = Lock::new(&client, &path);
    let waiting = tokio::spawn(async move { lock.lock().await });
    queued(&other, &path, 2).await;
    proxy.cut();
    let mut state = client.state();
    let away = state.wait_for(|state| *state == SessionState::Disconnected);
    soon(away).await.unwrap();
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    queued(&other, &path, 2).await;
    proxy.heal();
    queued(&other, &path, 1).await;
    // A guard that is dropped while the connection is away is released too.
    let lock = Lock::new(&client, &path);
    held.release().await.unwrap();
    let held = soon(lock.lock()).await.unwrap();
    proxy.cut();
    soon(held.interrupted()).await;
    drop(held);
    proxy.heal();
    queued(&other, &path, 0).await;
    client.close().await;
    other.close().await;
}

async fn a_lock_survives_a_cut_and_so_does_a_place_in_the_queue(backend: Backend) {
    let path = unique_path("survives");
    let (proxy, client) = proxied(&backend).await;
    let lock = Lock::new(&client, &path);
    let held = lock.lock().await.unwrap();
    let waiting = tokio::spawn(async move { lock.lock().await });
    queued(&client, &path, 2).await;
    for _ in 0..3 {
        proxy.cut();
        soon(held.interrupted()).await;
        proxy.heal();
        client.connected(T).await.unwrap();
    }
    let mut lost = std::pin::pin!(held.lost());
    queued(&client, &path, 2).await;
    assert!(timeout(Duration::ZERO, lost.as_mut()).await.is_err());
    assert!(!waiting.is_finished());
    proxy.cut();
    proxy.heal();
    held_release(&client, &path).await;
    let second = soon(waiting).await.unwrap().unwrap();
    assert!(matches!(soon(lost).await, Loss::Deleted(_)));
    assert!(client.exists(second.path()).await.unwrap().is_some());
    client.close().await;
}

/// Deletes the first place of a queue, as an administrator does.
async fn held_release(client: &Client, path: &str) {
    let first = Lock::new(client, path).holder().await.unwrap().unwrap();
    client.delete(&first.path, ZnodeVersion::ANY).await.unwrap();
}

async fn a_lock_is_lost_with_its_session_and_another_gets_it(backend: Backend) {
    let path = unique_path("expires");
    let proxy = Proxy::start(address(&backend)).await;
    let options = ConnectOptions::new().session_timeout(Duration::from_millis(1500));
    let client = Client::connect_with(&proxy.connect_string(), options)
        .await
        .unwrap();
    let held = Lock::new(&client, &path).lock().await.unwrap();
    let other = connect(&backend).await;
    let waiting = tokio::spawn({
        let lock = Lock::new(&other, &path);
        async move { lock.lock().await }
    });
    queued(&other, &path, 2).await;
    proxy.cut();
    soon(held.interrupted()).await;
    let Loss::Session(end) = soon(held.lost()).await else {
        panic!("the session ends")
    };
    assert!(
        matches!(end, SessionEnd::GivenUp { .. } | SessionEnd::Expired(_)),
        "{end}"
    );
    let next = soon(waiting).await.unwrap().unwrap();
    assert!(next.fencing_token() > held.fencing_token());
    // There is nothing left to release, and nothing of another's is touched.
    held.release().await.unwrap();
    next.release().await.unwrap();
    other.close().await;
}

async fn a_deleted_znode_is_a_lost_lock_or_place(backend: Backend) {
    let path = unique_path("deleted");
    let client = connect(&backend).await;
    let lock = Lock::new(&client, &path);
    let held = lock.lock().await.unwrap();
    let waiting = tokio::spawn(async move { lock.lock().await });
    let places = queued(&client, &path, 2).await;
    let second = places.iter().find(|place| **place != held.path()).unwrap();
    client.delete(second, ZnodeVersion::ANY).await.unwrap();
    let error = soon(waiting).await.unwrap().unwrap_err();
    assert_eq!(
        error,
        RecipeError::Deleted {
            path: second.clone()
        }
    );
    client.delete(held.path(), ZnodeVersion::ANY).await.unwrap();
    assert_eq!(
        soon(held.lost()).await,
        Loss::Deleted(held.path().to_owned())
    );
    held.release().await.unwrap();
    client.close().await;
}

async fn try_lock_does_not_wait(backend: Backend) {
    let path = unique_path("try");
    let (one, two) = (connect(&backend).await, connect(&backend).await);
    let (first, second) = (Lock::new(&one, &path), Lock::new(&two, &path));
    let held = first.try_lock().await.unwrap().expect("nobody holds it");
    assert!(second.try_lock().await.unwrap().is_none());
    assert_eq!(queued(&two, &path, 1).await, [held.path()]);
    held.release().await.unwrap();
    assert!(second.try_lock().await.unwrap().is_some());
    one.close().await;
    two.close().await;
}

async fn a_lock_works_below_a_chroot(backend: Backend) {
    let outer = connect(&backend).await;
    let root = unique_path("chroot");
    outer.create_all(&root).await.unwrap();
    let inner = Client::connect(&format!("{}{root}", backend.connect_string()))
        .await
        .unwrap();
    let held = Lock::new(&inner, "/deep/lock").lock().await.unwrap();
    assert!(held.path().starts_with("/deep/lock/_c_"), "{}", held.path());
    let full = format!("{root}/deep/lock");
    let waiting = tokio::spawn({
        let lock = Lock::new(&outer, &full);
        async move { lock.lock().await.unwrap() }
    });
    queued(&inner, "/deep/lock", 2).await;
    drop(held);
    let held = soon(waiting).await.unwrap();
    assert!(held.path().starts_with(&full));
    inner.close().await;
    outer.close().await;
}

async fn a_leader_is_followed_by_the_next_when_it_resigns_or_goes(backend: Backend) {
    let path = unique_path("election");
    let clients = [
        connect(&backend).await,
        connect(&backend).await,
        connect(&backend).await,
    ];
    let observer = connect(&backend).await;
    let leader = async || {
        observer.sync(&path).await.unwrap();
        let leader = Election::new(&observer, &path, b"").leader().await.unwrap();
        leader.map(|leader| leader.data)
    };
    assert_eq!(leader().await, None);
    let election =
        |number: usize| Election::new(&clients[number], &path, format!("host {number}").as_bytes());
    let first = election(0).campaign().await.unwrap();
    let mut campaigns = Vec::new();
    for number in [1, 2] {
        let election = election(number);
        campaigns.push(tokio::spawn(
            async move { election.campaign().await.unwrap() },
        ));
        queued(&observer, &path, number + 1).await;
    }
    assert_eq!(leader().await.unwrap(), "host 0");
    first.release().await.unwrap();
    let second = soon(campaigns.remove(0)).await.unwrap();
    assert_eq!(leader().await.unwrap(), "host 1");
    clients[1].close().await;
    assert_eq!(soon(second.lost()).await, Loss::Session(SessionEnd::Closed));
    let third = soon(campaigns.remove(0)).await.unwrap();
    assert_eq!(leader().await.unwrap(), "host 2");
    drop(third);
    wait::until("nobody leads", T, async || leader().await.is_none()).await;
}

async fn members_come_and_go(backend: Backend) {
    let path = unique_path("group");
    let observer = connect(&backend).await;
    let mut members = Group::new(&observer, &path).members();
    assert!(soon(members.next()).await.unwrap().is_empty());
    let (one, two) = (connect(&backend).await, connect(&backend).await);
    let first = Group::new(&one, &path).join(b"one").await.unwrap();
    let now = soon(members.next()).await.unwrap();
    assert_eq!(data(&now), ["one"]);
    assert_eq!(now[0].path, first.path());
    let second = Group::new(&two, &path).join(b"two").await.unwrap();
    assert_eq!(data(&soon(members.next()).await.unwrap()), ["one", "two"]);
    // A call that is dropped misses nothing.
    assert!(timeout(Duration::ZERO, members.next()).await.is_err());
    first.release().await.unwrap();
    assert_eq!(data(&soon(members.next()).await.unwrap()), ["two"]);
    two.close().await;
    assert!(soon(members.next()).await.unwrap().is_empty());
    assert_eq!(soon(second.lost()).await, Loss::Session(SessionEnd::Closed));
    observer.close().await;
    assert!(soon(members.next()).await.is_err());
    one.close().await;
}

async fn a_group_is_watched_through_a_cut(backend: Backend) {
    let path = unique_path("watched");
    let (proxy, observer) = proxied(&backend).await;
    let member = connect(&backend).await;
    let mut members = Group::new(&observer, &path).members();
    let group = Group::new(&member, &path);
    let mut joined: Vec<Held> = vec![group.join(b"0").await.unwrap()];
    assert_eq!(data(&soon(members.next()).await.unwrap()), ["0"]);
    for number in ["1", "2"] {
        proxy.cut();
        let mut state = observer.state();
        let away = state.wait_for(|state| *state == SessionState::Disconnected);
        soon(away).await.unwrap();
        let gone = joined.remove(0);
        joined.push(group.join(number.as_bytes()).await.unwrap());
        gone.release().await.unwrap();
        proxy.heal();
        // Between the two, the first change alone may be seen.
        while data(&soon(members.next()).await.unwrap()) != [number] {}
    }
    observer.close().await;
    member.close().await;
}

fn data(members: &[Participant]) -> Vec<String> {
    let texts = members
        .iter()
        .map(|member| String::from_utf8_lossy(&member.data).into_owned());
    texts.collect()
}

/// Waits until a queue has a length; its places.
async fn queued(client: &Client, path: &str, length: usize) -> Vec<String> {
    let mut last = Vec::new();
    let seen = wait::some(T, async || {
        client.sync(path).await.unwrap();
        let children = client.get_children(path).await.unwrap();
        last = children.to_vec();
        (last.len() == length).then_some(())
    });
    assert!(seen.await.is_some(), "not {length} in the queue: {last:?}");
    last.iter()
        .map(|name| zk_client::path::join(path, name))
        .collect()
}

async fn soon<R>(future: impl Future<Output = R>) -> R {
    timeout(Duration::from_secs(20), future)
        .await
        .expect("within 20 s")
}

async fn connect(backend: &Backend) -> Client {
    Client::connect(&backend.connect_string()).await.unwrap()
}

async fn proxied(backend: &Backend) -> (Proxy, Client) {
    let proxy = Proxy::start(address(backend)).await;
    let options = ConnectOptions::new().session_timeout(T);
    let client = Client::connect_with(&proxy.connect_string(), options)
        .await
        .unwrap();
    (proxy, client)
}

fn unique_path(name: &str) -> String {
    format!("/{}", unique_name(name))
}

fn address(backend: &Backend) -> SocketAddr {
    backend.connect_string().parse().unwrap()
}
