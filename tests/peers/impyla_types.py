"""impyla_types.py HOST PORT AUTH COUNT SQL: fetches the mixed table with impyla and compares every value."""

import sys

from impyla_connect import open_connection
from mixed_rows import check


def main(host, port, auth, count, sql):
    connection = open_connection(host, port, auth)
    cursor = connection.cursor()
    cursor.execute(sql)
    columns = [[column[0], column[1]] for column in cursor.description]
    rows = cursor.fetchall()
    cursor.close()
    connection.close()
    return check(rows, columns, int(count))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
