"""impyla_first_row.py HOST PORT AUTH SQL: the first row of a query that never ends, as JSON.

A row can only arrive if it is handed out while the query runs. The query is then cancelled.
"""

import json
import sys

from impyla_connect import open_connection


def main(host, port, auth, sql):
    connection = open_connection(host, port, auth)
    cursor = connection.cursor()
    cursor.execute(sql)
    print(json.dumps(cursor.fetchone(), default=str, ensure_ascii=False), flush=True)
    cursor.cancel_operation()
    cursor.close()
    connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
