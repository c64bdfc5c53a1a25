"""How each of the Python scripts connects with impyla. AUTH is NOSASL or PLAIN."""

from impala.dbapi import connect


def open_connection(host, port, auth):
    return connect(
        host=host,
        port=int(port),
        auth_mechanism=auth,
        user="tests",
        password="tests",
        timeout=60,
    )
