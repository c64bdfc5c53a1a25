"""connections.py CLIENT CASES: connects once for each case of a JSON array, with impyla or PyHive.

A case is an object with host, port, auth (NOSASL, PLAIN, LDAP), user, password, http (bool), and ca, a PEM file,
where TLS is spoken. Prints a JSON array: for each case {"rows": …} of its sql, or {"error": …}.
"""

import base64
import json
import os
import ssl
import sys


def impyla(case):
    from impala.dbapi import connect

    return connect(
        host=case["host"],
        port=case["port"],
        auth_mechanism=case["auth"],
        user=case["user"],
        password=case["password"],
        timeout=60,
        use_ssl=bool(case.get("ca")),
        ca_cert=case.get("ca"),
        use_http_transport=case["http"],
        http_path="cliservice",
        http_cookie_names=["hive.server2.auth"] if case["http"] else None,
        retries=1,
    )


def pyhive(case):
    from pyhive import hive

    if case["http"] and case["auth"] == "LDAP":
        # PyHive's own way to HTTP makes no header for LDAP; its users give it the transport.
        from thrift.transport import THttpClient

        uri = f"{'https' if case.get('ca') else 'http'}://{case['host']}:{case['port']}/cliservice"
        context = ssl.create_default_context(cafile=case["ca"]) if case.get("ca") else None
        transport = THttpClient.THttpClient(uri, ssl_context=context)
        token = base64.b64encode(f"{case['user']}:{case['password']}".encode()).decode()
        transport.setCustomHeaders({"Authorization": "Basic " + token})
        return hive.connect(thrift_transport=transport)
    if case["http"]:
        if case.get("ca"):
            os.environ["SSL_CERT_FILE"] = case["ca"]
        return hive.connect(
            host=case["host"],
            port=case["port"],
            scheme="https" if case.get("ca") else "http",
            check_hostname="true",
            ssl_cert="required",
            username=case["user"],
            auth={"PLAIN": "NONE"}.get(case["auth"], case["auth"]),
        )
    if case.get("ca"):
        import thrift_sasl
        from puresasl.client import SASLClient  # noqa: F401 - what thrift_sasl uses where there is no C library
        from pyhive.sasl_compat import PureSASLClient
        from thrift.transport.TSSLSocket import TSSLSocket

        socket = TSSLSocket(case["host"], case["port"], cert_reqs=ssl.CERT_REQUIRED, ca_certs=case["ca"])
        options = {"host": case["host"], "username": case["user"], "password": case["password"]}
        transport = thrift_sasl.TSaslClientTransport(lambda: PureSASLClient(**options), "PLAIN", socket)
        return hive.connect(thrift_transport=transport)
    auth = {"PLAIN": "NONE"}.get(case["auth"], case["auth"])
    return hive.connect(
        host=case["host"],
        port=case["port"],
        username=case["user"],
        auth=auth,
        password=case["password"] if auth == "LDAP" else None,
    )


def rows(connect, case):
    connection = connect(case)
    cursor = connection.cursor()
    cursor.execute(case["sql"])
    fetched = [list(row) for row in cursor.fetchall()]
    cursor.close()
    connection.close()
    return fetched


def main(client, cases):
    connect = {"impyla": impyla, "pyhive": pyhive}[client]
    told = []
    for case in json.loads(cases):
        try:
            told.append({"rows": rows(connect, case)})
        except Exception as error:  # noqa: BLE001 - whatever it is, the test wants to see it
            told.append({"error": f"{type(error).__name__}: {error}"})
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
