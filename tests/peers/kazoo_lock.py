"""kazoo_lock.py HOSTS LOCK COUNTER ROUNDS: adds 1 to a znode's number ROUNDS times, each time under kazoo's lock.

The number is read and written without a version, so that two at a time lose an addition. The lock is made to look for
the names of Curator's and zk-client's locks too. With 0 rounds it says whether the lock is free, as a JSON boolean.
"""

import json
import sys

from kazoo.client import KazooClient


def main(hosts, path, counter, rounds):
    client = KazooClient(hosts=hosts, timeout=10)
    client.start(timeout=20)
    try:
        lock = client.Lock(path, "kazoo", extra_lock_patterns=["-lock-"])
        if int(rounds) == 0:
            print(json.dumps(lock.acquire(blocking=False)))
        for _ in range(int(rounds)):
            with lock:
                number = int(client.get(counter)[0])
                client.set(counter, str(number + 1).encode())
    finally:
        client.stop()
        client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
