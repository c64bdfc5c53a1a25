"""jdbc_connections.py CASES: connects once for each case of a JSON array through Hive's JDBC driver, in one JVM.

A case is an object with url, user, password and sql. Prints a JSON array: for each case {"rows": …}, or {"error": …}
with SQLSTATE and message. The jars are those of the folder that HS2_TEST_JARS names.
"""

import json
import os
import sys

import jpype
import jpype.imports


def rows(case):
    from java.sql import DriverManager

    connection = DriverManager.getConnection(case["url"], case["user"], case["password"])
    try:
        statement = connection.createStatement()
        result = statement.executeQuery(case["sql"])
        columns = range(1, result.getMetaData().getColumnCount() + 1)
        fetched = []
        while result.next():
            fetched.append([str(result.getString(column)) for column in columns])
        statement.close()
        return fetched
    finally:
        connection.close()


def main(cases):
    # Standard output is for the answers.
    quiet = "-Dorg.apache.logging.log4j.level=OFF"
    jpype.startJVM("-Xmx256m", quiet, classpath=[os.path.join(os.environ["HS2_TEST_JARS"], "*")])
    from java.lang import Class
    from java.sql import SQLException

    Class.forName("org.apache.hive.jdbc.HiveDriver")
    told = []
    for case in json.loads(cases):
        try:
            told.append({"rows": rows(case)})
        except SQLException as error:
            causes, cause = [], error
            while cause is not None:
                causes.append(str(cause.getMessage()))
                cause = cause.getCause()
            told.append({"error": f"{error.getSQLState()}: " + " <- ".join(causes)})
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
