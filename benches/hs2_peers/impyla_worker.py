"""impyla: each line of the input is a round, ADDRESS, fetch size, a statement to run before, the query; tabs between."""

import sys
import time

from impala.dbapi import connect


def one_round(address, fetch_size, before, query):
    host, port = address.split(":")
    connection = connect(host=host, port=int(port), auth_mechanism="PLAIN", user="bench", password="x", timeout=600)
    cursor = connection.cursor()
    if before:
        cursor.execute(before)
    cursor.set_arraysize(int(fetch_size))
    start = time.monotonic_ns()
    cursor.execute(query)
    rows = ids = 0
    while part := cursor.fetchmany():
        rows += len(part)
        ids += sum(row[0] for row in part)
    nanos = time.monotonic_ns() - start
    cursor.close()
    connection.close()
    return f"RESULT {rows} {ids} {nanos}"


for line in sys.stdin:
    try:
        print(one_round(*line.rstrip("\n").split("\t")), flush=True)
    except Exception as error:  # whatever it is, the round says so
        print("FAILED", str(error).replace("\n", " "), flush=True)
