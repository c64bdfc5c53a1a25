"""jdbc_conformance.py URL: everything that Hive's JDBC driver 2.3.9 can see of a server, compared with Hive.

Prints what differs, and ends with 1 if anything does. One JVM for all of it.
"""

import sys

import jdbc_database
import jdbc_driver as driver
import jdbc_statements
import jdbc_types


def main(url):
    driver.start()
    d = driver.Differences()
    connection = driver.connect(url)
    jdbc_types.check(d, connection)
    jdbc_database.check(d, connection)
    jdbc_database.walk(d, connection)
    jdbc_statements.check(d, connection, url)
    connection.close()
    d.exit()


if __name__ == "__main__":
    main(*sys.argv[1:])
