"""zookeeper_cli.py HOSTS COMMANDS: runs commands in ZooKeeper's own shell, as a person would type them.

COMMANDS is a JSON array of lines. Standard output: a JSON object of the answers, an array with one text for each line
in the same order, and the events of watches, which come when they like: an array of "TYPE PATH".
"""

import json
import os
import re
import subprocess
import sys

PROMPT = re.compile(r"\[zk: [^\]]*\] ")
# A thread of its own prints these, between whatever else is printed.
EVENT = re.compile(r"WatchedEvent state:\S+ type:(\S+) path:([^\s\[]+)(?: zxid: -?\d+)?|WATCHER::")


def answer(command, text):
    """Without the echo of the line, which some versions print, wrapped at 80 columns."""
    rest = text.lstrip()
    for character in command:
        if character != " ":
            rest = rest.lstrip()
        if not rest.startswith(character):
            rest = text
            break
        rest = rest[1:]
    return "\n".join(line.rstrip() for line in rest.splitlines() if line.strip())


def main(hosts, commands):
    commands = json.loads(commands)
    java = [
        "java",
        "-Xmx128m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Dlog4j2.level=ERROR",
        "-cp",
        os.path.join(os.environ["HS2_TEST_JARS"], "*"),
        "org.apache.zookeeper.ZooKeeperMain",
        "-waitforconnection",
        "-timeout",
        "20000",
        "-server",
        hosts,
    ]
    lines = "".join(command + "\n" for command in [*commands, "quit"])
    shell = subprocess.run(
        java, input=lines, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100
    )
    found = EVENT.findall(shell.stdout)
    events = [f"{kind} {path}" for kind, path in found if kind not in ("", "None")]
    # Before the first prompt is the greeting, behind the last one the end.
    texts = PROMPT.split(EVENT.sub("", shell.stdout))[1:]
    if len(texts) != len(commands) + 1:
        sys.exit(f"{len(commands)} commands and {len(texts)} prompts:\n{shell.stdout}")
    answers = [answer(command, text) for command, text in zip(commands, texts)]
    print(json.dumps({"answers": answers, "events": events}))


if __name__ == "__main__":
    main(*sys.argv[1:])
