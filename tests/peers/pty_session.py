"""Runs a program in a pseudo terminal: pty_session.py COLUMNS STEPS PROGRAM [ARGUMENT]...

STEPS is a JSON array of ["expect", TEXT], which waits for the text after what was expected before, and ["send", TEXT].
Prints the whole transcript and ends with the program's exit code; 125 where an expectation is not met.
"""

import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time

DEADLINE_SECONDS = 60


def main():
    columns, steps, program = int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:]
    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        os.environ["TERM"] = "xterm"
        os.execvp(program[0], program)
    transcript, seen = b"", 0

    def read(seconds):
        """More of the transcript; False at the program's end."""
        nonlocal transcript
        if not select.select([terminal], [], [], seconds)[0]:
            return True
        try:
            data = os.read(terminal, 65536)
        except OSError:
            return False
        transcript += data
        return bool(data)

    for kind, text in steps:
        text = text.encode()
        if kind == "send":
            os.write(terminal, text)
            continue
        end = time.monotonic() + DEADLINE_SECONDS
        while text not in transcript[seen:]:
            if not read(0.1) or time.monotonic() > end:
                sys.stdout.buffer.write(transcript)
                sys.stderr.write(f"not seen: {text!r} in {transcript[seen:]!r}\n")
                os.kill(pid, 9)
                sys.exit(125)
        seen = transcript.index(text, seen) + len(text)
    end = time.monotonic() + DEADLINE_SECONDS
    while read(0.1):
        if time.monotonic() > end:
            sys.stderr.write("the program did not end\n")
            os.kill(pid, 9)
            sys.exit(125)
    _, status = os.waitpid(pid, 0)
    sys.stdout.buffer.write(transcript)
    sys.stdout.flush()
    sys.exit(os.waitstatus_to_exitcode(status))


main()
