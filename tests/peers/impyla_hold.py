"""impyla_hold.py HOST PORT AUTH: one session held open and driven line by line.

Standard input: one statement a line. Standard output: one JSON line each, {"rows": [...]} or
{"error": "..."}; the first line, {"open": true}, says that the session stands. The session closes
at the end of the input.
"""

import json
import sys

from impyla_connect import open_connection


def answer(reply):
    print(json.dumps(reply, default=str, ensure_ascii=False), flush=True)


def main(host, port, auth):
    connection = open_connection(host, port, auth)
    cursor = connection.cursor()
    answer({"open": True})
    for line in sys.stdin:
        try:
            cursor.execute(line.strip())
            answer({"rows": cursor.fetchall() if cursor.has_result_set else []})
        except Exception as error:  # every failure is the answer to that line
            answer({"error": f"{type(error).__name__}: {error}"})
    cursor.close()
    connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
