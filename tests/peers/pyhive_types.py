"""pyhive_types.py HOST PORT AUTH COUNT SQL: fetches the mixed table with PyHive and compares every value."""

import sys

from mixed_rows import check
from pyhive import hive


def main(host, port, auth, count, sql):
    connection = hive.connect(
        host=host, port=int(port), username="tests", auth={"PLAIN": "NONE"}.get(auth, auth)
    )
    cursor = connection.cursor()
    cursor.execute(sql)
    columns = [[column[0], column[1]] for column in cursor.description]
    rows = cursor.fetchall()
    cursor.close()
    connection.close()
    return check(rows, columns, int(count))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
