"""kazoo_session.py HOSTS ROOT: uses most of what kazoo can do below the new znode ROOT.

Standard output: one JSON object of what was seen, without what differs from run to run. It exits with an error where
kazoo gets an answer that it does not expect.
"""

import json
import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import (
    BadVersionError,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
)
from kazoo.security import make_digest_acl


def raised(error, function, *arguments, **named):
    try:
        function(*arguments, **named)
    except error:
        return error.__name__
    raise AssertionError(f"{function} {arguments}: no {error.__name__}")


def znodes(client, root):
    seen = {}
    seen["created"] = client.create(root, b"root")
    stat = client.create(root + "/a", b"1", include_data=True)[1]
    seen["stat"] = [stat.version, stat.cversion, stat.aversion, stat.dataLength, stat.numChildren, stat.ephemeralOwner]
    seen["sequence"] = [client.create(root + "/s-", sequence=True)[len(root) :] for _ in range(3)]
    seen["deep"] = client.create(root + "/x/y/z", b"", makepath=True)[len(root) :]
    client.create(root + "/e", b"e", ephemeral=True)
    seen["owner"] = client.exists(root + "/e").ephemeralOwner == client.client_id[0]
    seen["children"] = sorted(client.get_children(root))
    seen["set"] = client.set(root + "/a", b"22", version=0).version
    seen["get"] = client.get(root + "/a")[0].decode()
    seen["missing"] = client.exists(root + "/missing") is None
    seen["errors"] = [
        raised(NodeExistsError, client.create, root),
        raised(NoNodeError, client.get, root + "/missing"),
        raised(BadVersionError, client.set, root + "/a", b"", version=7),
        raised(NotEmptyError, client.delete, root),
    ]
    seen["sync"] = client.sync(root) == root
    return seen


def acls(client, hosts, root):
    path = root + "/secret"
    client.add_auth("digest", "bob:secret")
    client.create(path, b"hidden", acl=[make_digest_acl("bob", "secret", all=True)])
    acl, stat = client.get_acls(path)
    other = KazooClient(hosts=hosts, timeout=10)
    other.start(timeout=20)
    try:
        refused = [raised(NoAuthError, other.get, path), raised(NoAuthError, other.set, path, b"")]
    finally:
        other.stop()
        other.close()
    stat = client.set_acls(path, [make_digest_acl("bob", "secret", read=True, delete=True)])
    refused.append(raised(NoAuthError, client.set, path, b""))
    return {"id": acl[0].id.id, "aversion": stat.aversion, "refused": refused}


def transactions(client, root):
    good = client.transaction()
    good.create(root + "/t", b"t")
    good.check(root + "/a", 1)
    good.set_data(root + "/t", b"tt")
    good.delete(root + "/x/y/z")
    done = good.commit()
    bad = client.transaction()
    bad.create(root + "/never")
    bad.check(root + "/a", 99)
    bad.delete(root + "/t")
    failed = bad.commit()
    return {
        "done": [done[0][len(root) :], done[1], done[2].version, done[3]],
        "failed": [type(result).__name__ for result in failed],
        "nothing happened": client.exists(root + "/never") is None,
        "rolled back": isinstance(failed[0], RolledBackError),
    }


def watches(client, root):
    path = root + "/watched"
    client.create(path, b"0")
    data, children = [], []
    changed = threading.Condition()

    def note(log, value):
        with changed:
            log.append(value)
            changed.notify_all()

    client.DataWatch(path, lambda value, stat: note(data, value and value.decode()))
    client.ChildrenWatch(path, lambda names: note(children, sorted(names)))
    for number in range(1, 4):
        client.set(path, str(number).encode())
        client.create(f"{path}/c{number}")
        # One at a time: watches that fire once may skip what comes between two of them.
        with changed:
            assert changed.wait_for(lambda: len(data) > number and len(children) > number, 20), (data, children)
    client.delete(path, recursive=True)
    with changed:
        assert changed.wait_for(lambda: data[-1] is None, 20), data
    return {"data": data, "children": children[:4]}


def recipes(client, hosts, root):
    other = KazooClient(hosts=hosts, timeout=10)
    other.start(timeout=20)
    try:
        mine, theirs = client.Lock(root + "/lock", "me"), other.Lock(root + "/lock", "them")
        with mine:
            contenders = theirs.contenders()
            refused = not theirs.acquire(blocking=False)
        acquired = theirs.acquire(timeout=20)
        theirs.release()
        led = []
        election = client.Election(root + "/election", "me")
        election.run(lambda: led.extend(election.contenders()))
        counter = client.Counter(root + "/counter")
        counter += 2
        counter -= 1
        queue = client.LockingQueue(root + "/queue")
        queue.put_all([b"a", b"b"])
        taken = []
        for _ in range(2):
            taken.append(queue.get(timeout=20).decode())
            queue.consume()
        barrier = client.DoubleBarrier(root + "/barrier", 1)
        barrier.enter()
        barrier.leave()
        return {
            "contenders": contenders,
            "refused": refused,
            "acquired": acquired,
            "led": led,
            "counter": counter.value,
            "taken": taken,
        }
    finally:
        other.stop()
        other.close()


def main(hosts, root):
    client = KazooClient(hosts=hosts, timeout=10)
    client.start(timeout=20)
    try:
        seen = {
            "znodes": znodes(client, root),
            "acls": acls(client, hosts, root),
            "transactions": transactions(client, root),
            "watches": watches(client, root),
            "recipes": recipes(client, hosts, root),
            "version": len(client.server_version()),
        }
        client.restart()
        seen["ephemeral after the session"] = client.exists(root + "/e") is not None
        client.delete(root, recursive=True)
        print(json.dumps(seen, indent=1, sort_keys=True))
    finally:
        client.stop()
        client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
