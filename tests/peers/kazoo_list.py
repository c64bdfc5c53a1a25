"""kazoo_list.py HOSTS NAMESPACE: lists a namespace with kazoo, as one JSON array on standard output.

Each entry: name, data (text), ephemeral_owner (hex session id, "0x0" for a persistent znode), version.
"""

import json
import sys

from kazoo.client import KazooClient


def main(hosts, namespace):
    client = KazooClient(hosts=hosts, timeout=10)
    client.start(timeout=20)
    try:
        path = "/" + namespace.strip("/")
        entries = []
        for name in sorted(client.get_children(path)):
            data, stat = client.get(f"{path}/{name}")
            entries.append(
                {
                    "name": name,
                    "data": data.decode(),
                    "ephemeral_owner": hex(stat.ephemeralOwner),
                    "version": stat.version,
                }
            )
        print(json.dumps(entries))
    finally:
        client.stop()
        client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
