"""python_conformance.py CLIENT HOST PORT: types, metadata, logs and cancellation through PyHive or impyla.

The types and their values are those of `jdbc_types.py`. Prints what differs, and ends with 1 if anything does.
"""

import datetime
import sys
import time
from decimal import Decimal

import jdbc_types
from jdbc_driver import Differences
from jdbc_statements import CANCEL_WITHIN, SILENT, STREAMING, WATCHED, WATCHED_TABLE, moved

# What sessions of version 6 are told of types that came later.
LATER = ("timestamp with local time zone", "interval_year_month", "interval_day_time")


def word(kind):
    return kind.declared.split("(")[0].split("<")[0]


class PyHive:
    """Dates stay text; types are named as Thrift names them."""

    def __init__(self, host, port):
        from pyhive import hive

        self.connection = hive.connect(host=host, port=int(port), username="tests", auth="NONE")

    def type_name(self, kind):
        if kind.declared in LATER:
            return "STRING_TYPE"
        return {"void": "NULL_TYPE"}.get(word(kind), word(kind).upper() + "_TYPE")

    def value(self, kind, value):
        if value is None:
            return None
        if word(kind) == "decimal":
            return Decimal(value)
        if word(kind) == "timestamp" and kind.declared not in LATER:
            return datetime.datetime.fromisoformat(value.removesuffix(".0"))
        return value

    def qualifiers(self, kind):
        return None

    def metadata(self, d):
        cursor = self.connection.cursor()
        cursor.execute("SHOW DATABASES")
        d.equal("SHOW DATABASES", cursor.fetchall(), [("default",)])
        cursor.execute("SHOW TABLES IN default")
        d.true("SHOW TABLES", (jdbc_types.TABLE,) in cursor.fetchall())
        cursor.execute(f"DESCRIBE {jdbc_types.TABLE}")
        described = [row[:2] for row in cursor.fetchall()]
        d.equal("DESCRIBE", described[: len(jdbc_types.TYPES)],
                [(jdbc_types.column(i), t.declared) for i, t in enumerate(jdbc_types.TYPES)])
        cursor.close()

    def logs(self, d):
        cursor = self.connection.cursor()
        cursor.execute("SELECT 1", async_=True)
        state = cursor.poll().operationState
        while state in (0, 1, 7):
            state = cursor.poll().operationState
        d.equal("poll", state, 2)
        d.true("fetch_logs", any("Compiling command" in line for line in cursor.fetch_logs()))
        d.equal("fetchall", cursor.fetchall(), [(1,)])
        cursor.close()

    def progress(self, d):
        d.begin("progress")
        cursor = self.connection.cursor()
        cursor.execute(WATCHED_TABLE)
        cursor.execute(WATCHED, async_=True)
        told, state = [], 1
        while state in (0, 1, 7):
            response = cursor.poll()
            state, progress = response.operationState, response.progressUpdateResponse
            told.append((progress.headerNames, progress.progressedPercentage))
        d.equal("the result", len(cursor.fetchall()), 2)
        cursor.execute("DROP TABLE watched")
        cursor.close()
        moved(d, told)

    def start(self, cursor, sql):
        cursor.execute(sql, async_=True)

    def wait(self, cursor):
        while cursor.poll().operationState in (0, 1, 7):
            pass
        return cursor.poll().operationState == 3

    def cancel(self, cursor):
        cursor.cancel()


class Impyla:
    """Types are named as in SQL, with precision and scale of decimals."""

    def __init__(self, host, port):
        from impyla_connect import open_connection

        self.connection = open_connection(host, port, "PLAIN")

    def type_name(self, kind):
        if kind.declared in LATER:
            return "STRING"
        return {"void": "NULL"}.get(word(kind), word(kind).upper())

    def value(self, kind, value):
        if value is None:
            return None
        if word(kind) == "decimal":
            return Decimal(value)
        if word(kind) == "timestamp" and kind.declared not in LATER:
            return datetime.datetime.fromisoformat(value.removesuffix(".0"))
        if word(kind) == "date":
            return datetime.date.fromisoformat(value)
        # It decodes the texts of other types, and forgets this one.
        if word(kind) == "array":
            return value.encode()
        return value

    def qualifiers(self, kind):
        return (kind.size, kind.digits) if word(kind) == "decimal" else None

    def metadata(self, d):
        cursor = self.connection.cursor()
        cursor.get_databases()
        d.equal("get_databases", cursor.fetchall(), [("default", "")])
        cursor.get_tables()
        d.true("get_tables", jdbc_types.TABLE in [row[2] for row in cursor.fetchall()])
        d.true("table_exists", cursor.table_exists(jdbc_types.TABLE))
        d.true("table_exists, not", not cursor.table_exists("no_such_table"))
        # Words without what is in brackets, as GetColumns has them.
        d.equal("get_table_schema", [tuple(row[:2]) for row in cursor.get_table_schema(jdbc_types.TABLE)],
                [(jdbc_types.column(i), t.word) for i, t in enumerate(jdbc_types.TYPES)])
        # It asks for the functions of databases, which Hive's belong to none of.
        cursor.get_functions()
        d.equal("get_functions", cursor.fetchall(), [])
        cursor.close()

    def logs(self, d):
        cursor = self.connection.cursor()
        cursor.execute_async("SELECT 1")
        while cursor.is_executing():
            pass
        d.equal("status", cursor.status(), "FINISHED_STATE")
        d.true("get_log", "Compiling command" in cursor.get_log())
        d.equal("fetchall", cursor.fetchall(), [(1,)])
        cursor.close()

    def progress(self, d):
        """It has no call for it."""

    def start(self, cursor, sql):
        cursor.execute_async(sql)

    def wait(self, cursor):
        while cursor.is_executing():
            pass
        return cursor.status() == "CANCELED_STATE"

    def cancel(self, cursor):
        cursor.cancel_operation(reset_state=False)


def types(d, client):
    d.begin("types")
    cursor = client.connection.cursor()
    depth = jdbc_types.create(cursor.execute)
    order = ", ".join(jdbc_types.column(i) for i in range(len(jdbc_types.TYPES)))
    cursor.execute(f"SELECT {order} FROM {jdbc_types.TABLE} {jdbc_types.ORDER}")
    for i, kind in enumerate(jdbc_types.TYPES):
        described = cursor.description[i]
        d.equal(f"{kind.declared}: name", described[0], jdbc_types.column(i))
        d.equal(f"{kind.declared}: type", described[1], client.type_name(kind))
        if client.qualifiers(kind):
            d.equal(f"{kind.declared}: precision and scale", described[4:6], client.qualifiers(kind))
    found = cursor.fetchall()
    d.equal("rows", len(found), depth + 1)
    for row, cells in zip(jdbc_types.ordered(depth), found):
        for kind, cell in zip(jdbc_types.TYPES, cells):
            expected = None if row is None else kind.values[row % len(kind.values)][1]
            d.equal(f"{kind.declared}: value", cell, client.value(kind, expected))
    cursor.execute("SELECT " + ", ".join(kind.values[0][0] for kind in jdbc_types.RESULTS))
    d.equal("other types", [column[1] for column in cursor.description],
            [client.type_name(kind) for kind in jdbc_types.RESULTS])
    d.equal("other values", list(cursor.fetchone()), [kind.values[0][1] for kind in jdbc_types.RESULTS])
    cursor.close()


def errors(d, client):
    d.begin("errors")
    cursor = client.connection.cursor()
    try:
        cursor.execute("SELECT * FROM no_such_table")
        cursor.fetchall()
        d.true("an error", False)
    except Exception as e:
        d.true(f"the table's name in {e}", "no_such_table" in str(e))
    cursor.close()
    cursor = client.connection.cursor()
    cursor.execute("SELECT 1")
    d.equal("the connection lives on", cursor.fetchall(), [(1,)])
    cursor.close()


def cancellation(d, client):
    d.begin("cancel")
    for sql in (SILENT, STREAMING):
        cursor = client.connection.cursor()
        client.start(cursor, sql)
        before = time.monotonic()
        client.cancel(cursor)
        canceled = client.wait(cursor)
        took = time.monotonic() - before
        print(f"cancel: {took * 1000:.0f} ms ({sql})")
        d.true(f"{sql}: canceled", canceled)
        d.true(f"{sql}: within a second, not {took:.2f} s", took < CANCEL_WITHIN)
        cursor.close()


def main(name, host, port):
    d = Differences()
    client = {"pyhive": PyHive, "impyla": Impyla}[name](host, port)
    types(d, client)
    d.begin("metadata")
    client.metadata(d)
    d.begin("logs")
    client.logs(d)
    client.progress(d)
    errors(d, client)
    cancellation(d, client)
    client.connection.close()
    d.exit()


if __name__ == "__main__":
    main(*sys.argv[1:])
