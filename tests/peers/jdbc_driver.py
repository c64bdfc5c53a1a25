"""Hive's JDBC driver for the other scripts, and the list of what differs from Hive."""

import os
import sys

import jpype
import jpype.imports


class Differences:
    """Compares, and remembers what was not as it should be, so that one run shows everything."""

    def __init__(self):
        self.found = []
        self.section = ""
        self.compared = 0

    def begin(self, section):
        self.section = section
        print(f"--- {section}", flush=True)

    def equal(self, what, actual, expected):
        self.compared += 1
        if actual != expected or (actual is None) != (expected is None):
            self.found.append(f"{self.section}: {what}: {actual!r}, Hive has {expected!r}")

    def true(self, what, condition):
        self.equal(what, bool(condition), True)

    def exit(self):
        print(f"{self.compared} comparisons")
        for line in self.found:
            print(line)
        sys.exit(1 if self.found else 0)


def start():
    jpype.startJVM(
        "-Xmx256m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        classpath=[os.path.join(os.environ["HS2_TEST_JARS"], "*")],
    )
    from java.lang import Class

    Class.forName("org.apache.hive.jdbc.HiveDriver")


def connect(url):
    from java.sql import DriverManager

    return DriverManager.getConnection(url, "tests", "tests")


def plain(value):
    """A Java value as Python's own; objects without one by their text."""
    if value is None:
        return None
    if isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, jpype.JArray(jpype.JByte)):
        return bytes(byte % 256 for byte in value)
    name = value.getClass().getName() if hasattr(value, "getClass") else ""
    if name == "java.lang.Boolean":
        return bool(value)
    if name in ("java.lang.Byte", "java.lang.Short", "java.lang.Integer", "java.lang.Long"):
        return int(value)
    if name in ("java.lang.Float", "java.lang.Double"):
        return float(value)
    return str(value)


def columns(result):
    meta = result.getMetaData()
    return [str(meta.getColumnName(i + 1)) for i in range(meta.getColumnCount())]


def types(result):
    meta = result.getMetaData()
    return [str(meta.getColumnTypeName(i + 1)) for i in range(meta.getColumnCount())]


def rows(result):
    """Every row as a list of plain values; closes the result."""
    width = result.getMetaData().getColumnCount()
    found = []
    while result.next():
        found.append([plain(result.getObject(i + 1)) for i in range(width)])
    result.close()
    return found


def query(connection, sql):
    statement = connection.createStatement()
    try:
        return rows(statement.executeQuery(sql))
    finally:
        statement.close()


def execute(connection, *statements):
    statement = connection.createStatement()
    for sql in statements:
        statement.execute(sql)
    statement.close()
