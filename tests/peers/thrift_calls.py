"""thrift_calls.py HOST PORT: the service's calls as Hue makes them, and as clients of every version made them.

The Thrift classes are those that PyHive brings, generated from Hive's definition; the connections are impyla's. Prints
what differs from Hive, and ends with 1 if anything does.
"""

import sys

from impala._thrift_api import get_socket, get_transport
from jdbc_driver import Differences
from TCLIService import TCLIService, ttypes as t
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TApplicationException


class Connection:
    def __init__(self, host, port):
        socket = get_socket(host, int(port), False, None, True)
        socket.setTimeout(60_000)
        self.transport = get_transport(socket, host, None, "PLAIN", "tests", "tests")
        self.transport.open()
        self.client = TCLIService.Client(TBinaryProtocol(self.transport))

    def open(self, version, configuration=None):
        return self.client.OpenSession(
            t.TOpenSessionReq(client_protocol=version, username="hue", configuration=configuration or {})
        )

    def execute(self, session, sql, run_async=False):
        return self.client.ExecuteStatement(
            t.TExecuteStatementReq(sessionHandle=session, statement=sql, runAsync=run_async)
        )

    def fetch(self, operation, max_rows=1000, fetch_type=0, orientation=t.TFetchOrientation.FETCH_NEXT):
        return self.client.FetchResults(
            t.TFetchResultsReq(operationHandle=operation, orientation=orientation, maxRows=max_rows, fetchType=fetch_type)
        )

    def state(self, operation):
        return self.client.GetOperationStatus(t.TGetOperationStatusReq(operationHandle=operation)).operationState

    def close(self):
        self.transport.close()


def cells(results):
    """Columns of a row set in either layout, NULL as None."""
    if results.rows:
        names = ("boolVal", "byteVal", "i16Val", "i32Val", "i64Val", "doubleVal", "stringVal")

        def cell(value):
            return next(getattr(value, name) for name in names if getattr(value, name) is not None).value

        return [list(column) for column in zip(*([cell(v) for v in row.colVals] for row in results.rows))]
    found = []
    for column in results.columns or []:
        values = next(v for v in vars(column).values() if v is not None)
        nulls = values.nulls

        def null(i):
            return i // 8 < len(nulls) and nulls[i // 8] & (1 << i % 8) != 0

        found.append([None if null(i) else value for i, value in enumerate(values.values)])
    return found


def type_ids(client, operation):
    schema = client.GetResultSetMetadata(t.TGetResultSetMetadataReq(operationHandle=operation)).schema
    names = t.TTypeId._VALUES_TO_NAMES
    return [names[column.typeDesc.types[0].primitiveEntry.type] for column in schema.columns]


def unknown_method(d, name, call):
    try:
        call()
        d.true(f"{name}: an exception", False)
    except TApplicationException as e:
        d.equal(f"{name}: kind", e.type, TApplicationException.UNKNOWN_METHOD)


def hue(d, host, port):
    d.begin("hue")
    first = Connection(host, port)
    opened = first.open(5, {"hive.server2.proxy.user": "bob", "impala.doas.user": "bob", "hive.exec.parallel": "true"})
    d.equal("OpenSession", (opened.status.statusCode, opened.serverProtocolVersion), (0, 5))
    session = opened.sessionHandle
    settings = first.execute(session, "SET -v").operationHandle
    lines = []
    while True:
        batch = cells(first.fetch(settings).results)[0]
        if not batch:
            break
        lines += batch
    d.true("SET -v tells the session's settings", "hive.exec.parallel=true" in lines)
    d.true("each line is name=value", all("=" in line for line in lines))
    started = first.execute(session, "SELECT id FROM range(2500)", True).operationHandle
    # Another process has the handles from its database, and connections of its own.
    second = Connection(host, port)
    while second.state(started) in (0, 1, 7):
        pass
    unknown_method(d, "GetLog", lambda: second.client.GetLog(t.TGetLogReq(operationHandle=started)))
    log = cells(second.fetch(started, fetch_type=1).results)[0]
    d.true("the log by FetchResults", any("Compiling command" in line for line in log))
    d.equal("its lines come once", cells(second.fetch(started, fetch_type=1).results), [[]])
    d.equal("the first rows", cells(first.fetch(started, 1000).results)[0], list(range(1000)))
    third = Connection(host, port)
    d.equal("the next ones", cells(third.fetch(started, 1000).results)[0], list(range(1000, 2000)))
    third.close()
    again = second.fetch(started, 1000, orientation=t.TFetchOrientation.FETCH_FIRST).results
    d.equal("from the start", (again.startRowOffset, cells(again)[0][:3]), (0, [0, 1, 2]))
    d.equal("another session of the same user is another one", second.open(5).sessionHandle == session, False)
    d.equal("a schema", type_ids(second.client, started), ["BIGINT_TYPE"])
    closed = second.client.CloseOperation(t.TCloseOperationReq(operationHandle=started)).status
    d.equal("CloseOperation from elsewhere", closed.statusCode, 0)
    gone = first.fetch(started)
    d.equal("what is closed is gone", gone.status.statusCode, 3)
    d.true("and says so", gone.status.errorMessage.startswith("Invalid OperationHandle: OperationHandle [opType=EXECUTE_STATEMENT"))
    second.close()
    d.equal("the session stays", first.execute(session, "SELECT 1").status.statusCode, 0)
    first.close()


def versions(d, host, port):
    d.begin("versions")
    # Columns by what a session of each version is told of them; values are the same in all.
    sql = ("SELECT true, 1Y, 2S, 3, 4L, cast('0.5' as double), 'x', cast('v' as varchar(3)), cast('c' as char(3)), "
           "cast(1.5 as decimal(5,2)), cast('b' as binary), cast('2024-02-29' as date), cast(null as int), "
           "cast('2024-02-29 01:02:03 UTC' as timestamp with local time zone), array(1)")
    values = [True, 1, 2, 3, 4, 0.5, "x", "v", "c  ", "1.50", b"b", "2024-02-29", None, "2024-02-29 01:02:03.0 UTC", "[1]"]
    since = {"VARCHAR": 2, "CHAR": 3, "BINARY": 5, "TIMESTAMPLOCALTZ": 10}
    words = ["BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT", "DOUBLE", "STRING", "VARCHAR", "CHAR", "DECIMAL", "BINARY",
             "DATE", "INT", "TIMESTAMPLOCALTZ", "ARRAY"]
    for version in range(11):
        connection = Connection(host, port)
        opened = connection.open(version)
        d.equal(f"V{version + 1}", opened.serverProtocolVersion, version)
        operation = connection.execute(opened.sessionHandle, sql).operationHandle
        expected = [word if version >= since.get(word, 0) else "STRING" for word in words]
        # PyHive's classes are older than the last type.
        if version < 10:
            d.equal(f"V{version + 1}: types", type_ids(connection.client, operation), [word + "_TYPE" for word in expected])
        results = connection.fetch(operation).results
        d.equal(f"V{version + 1}: rows", bool(results.rows), version < 5)
        found = [column[0] for column in cells(results)]
        told = [v.decode() if isinstance(v, bytes) and version < 5 else v for v in values]
        d.equal(f"V{version + 1}: values", found, told)
        end = connection.fetch(operation).results
        d.equal(f"V{version + 1}: the end", (end.rows, [c for c in cells(end) if c]), ([], []))
        connection.close()


def calls(d, host, port):
    d.begin("calls")
    connection = Connection(host, port)
    client = connection.client
    session = connection.open(7).sessionHandle
    for name, number, value in [("SERVER_NAME", 13, "Hive"), ("DBMS_NAME", 17, "Apache Hive")]:
        answer = client.GetInfo(t.TGetInfoReq(sessionHandle=session, infoType=number))
        d.equal(name, answer.infoValue.stringValue, value)
    for number in (30, 32, 35):
        answer = client.GetInfo(t.TGetInfoReq(sessionHandle=session, infoType=number))
        d.equal(f"GetInfo {number}", answer.infoValue.lenValue, 128)
    for number in t.TGetInfoType._VALUES_TO_NAMES:
        answer = client.GetInfo(t.TGetInfoReq(sessionHandle=session, infoType=number))
        d.equal(f"GetInfo {number}", answer.status.statusCode, 0)
        d.true(f"GetInfo {number} has a value", [v for v in vars(answer.infoValue).values() if v is not None])
    for name, answer in [
        ("GetDelegationToken", client.GetDelegationToken(t.TGetDelegationTokenReq(session, "a", "b"))),
        ("CancelDelegationToken", client.CancelDelegationToken(t.TCancelDelegationTokenReq(session, "x"))),
        ("RenewDelegationToken", client.RenewDelegationToken(t.TRenewDelegationTokenReq(session, "x"))),
    ]:
        d.equal(name, (answer.status.statusCode, answer.status.sqlState), (3, "0A000"))
        d.true(f"{name}: says why", "delegation tokens" in answer.status.errorMessage)
    refused = connection.execute(session, "SELECT * FROM no_such_table")
    d.equal("an error of compiling", (refused.status.statusCode, refused.status.sqlState, refused.status.errorCode,
                                      refused.operationHandle), (3, "42S02", 10001, None))
    ddl = connection.execute(session, "CREATE TABLE IF NOT EXISTS thrift_calls (i int)").operationHandle
    d.equal("DDL has no result", ddl.hasResultSet, False)
    d.equal("and an empty schema", type_ids(client, ddl), [])
    first = connection.execute(session, "SELECT 1").operationHandle
    d.equal("FETCH_LAST", connection.fetch(first, orientation=t.TFetchOrientation.FETCH_LAST).status.statusCode, 3)
    d.equal("no rows asked for", cells(connection.fetch(first, 0).results), [[]])
    d.equal("then the row", cells(connection.fetch(first, 10).results), [[1]])
    connection.execute(session, "DROP TABLE thrift_calls")
    for configuration, works in [({"use:database": "`default`"}, True), ({"use:database": "nowhere"}, False),
                                 ({"set:hivevar:x": "41", "set:hiveconf:hive.no.such": "1", "set:system:a": "b"}, True)]:
        opened = connection.open(7, configuration)
        d.equal(f"{configuration}", (opened.status.statusCode == 0, opened.sessionHandle is not None), (works, works))
        d.true(f"{configuration}: a map comes back", opened.configuration is not None)
        if "set:hivevar:x" in configuration:
            found = connection.execute(opened.sessionHandle, "SELECT ${hivevar:x} + 1").operationHandle
            d.equal("a variable", cells(connection.fetch(found).results), [[42]])
    closed = client.CloseSession(t.TCloseSessionReq(session)).status.statusCode
    d.equal("CloseSession", closed, 0)
    d.equal("of nothing", client.CloseSession(t.TCloseSessionReq(session)).status.statusCode, 3)
    connection.close()


def main(host, port):
    d = Differences()
    hue(d, host, port)
    versions(d, host, port)
    calls(d, host, port)
    d.exit()


if __name__ == "__main__":
    main(*sys.argv[1:])
