"""kazoo, driven as the Rust clients are: `ROW COUNT` a line, answered by `done WALL_NS CPU_NS`."""

import collections
import statistics
import sys
import threading
import time

from kazoo.client import KazooClient

server, root = sys.argv[1:3]
IN_FLIGHT, CREATORS = 256, 64


def connect():
    client = KazooClient(hosts=server, timeout=30)
    client.start()
    return client


def close(client):
    client.stop()
    client.close()


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def each(count, work):
    times, before = [], time.process_time_ns()
    for _ in range(count):
        start = time.perf_counter_ns()
        work()
        times.append(time.perf_counter_ns() - start)
    cpu = time.process_time_ns() - before
    return statistics.median(times), cpu / count


def together(count, work):
    start, before = time.perf_counter_ns(), time.process_time_ns()
    work()
    wall, cpu = time.perf_counter_ns() - start, time.process_time_ns() - before
    return wall / count, cpu / count


def cold(count):
    times, cpu = [], 0
    for _ in range(count):
        start, before = time.perf_counter_ns(), time.process_time_ns()
        client = connect()
        names, _ = client.get_children(root + "/instances", include_data=True)
        assert len(client.get(root + "/instances/" + names[0])[0]) == 100
        times.append(time.perf_counter_ns() - start)
        cpu += time.process_time_ns() - before
        close(client)
    return statistics.median(times), cpu / count


def window(client, count):
    flight = collections.deque()
    for _ in range(count):
        if len(flight) == IN_FLIGHT:
            assert len(flight.popleft().get()[0]) == 100
        flight.append(client.get_async(root + "/node"))
    for call in flight:
        assert len(call.get()[0]) == 100


def create_and_delete(client, count):
    left, lock, done = [count], threading.Lock(), threading.Event()
    remaining = [count]

    def create():
        with lock:
            if left[0] == 0:
                return
            left[0] -= 1
        call = client.create_async(root + "/ephemerals/e-", b"", ephemeral=True, sequence=True)
        call.rawlink(lambda created: client.delete_async(created.get()).rawlink(deleted))

    def deleted(call):
        call.get()
        with lock:
            remaining[0] -= 1
            if remaining[0] == 0:
                done.set()
        create()

    for _ in range(CREATORS):
        create()
    assert done.wait(60)


def listed(client, place, count):
    names, _ = client.get_children(root + place, include_data=True)
    assert len(names) == count
    sum(map(len, names))


def watch(client, count):
    before = time.process_time_ns()
    for _ in range(count):
        event = threading.Event()
        client.get(root + "/node", watch=lambda _: event.set())
        say("armed")
        assert event.wait(30)
        say("event %d" % time.clock_gettime_ns(time.CLOCK_MONOTONIC))
    return 0, (time.process_time_ns() - before) / count


def run(row, count):
    if row == "cold":
        return cold(count)
    client = connect()
    client.get(root + "/node")
    try:
        if row == "sequential":
            return each(count, lambda: client.get(root + "/node"))
        if row in ("window", "tasks"):
            return together(count, lambda: window(client, count))
        if row == "ephemeral":
            return together(count, lambda: create_and_delete(client, count))
        if row == "list10000":
            return each(count, lambda: listed(client, "/short", 10_000))
        if row == "list1000":
            return each(count, lambda: listed(client, "/long", 1_000))
        if row == "watch":
            return watch(client, count)
        raise ValueError(row)
    finally:
        close(client)


for line in sys.stdin:
    name, number = line.split()
    say("done %f %f" % run(name, int(number)))
