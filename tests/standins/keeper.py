"""Keeps a server for as long as whoever started it lives: `python keeper.py COMMAND ...`.

The starter holds the other end of standard input, which closes however it ends.
"""

import contextlib
import os
import subprocess
import sys
import threading


def main(command: list[str]) -> int:
    """Runs a command until it ends, or until standard input does.

    Returns:
        The code that the command ended with.
    """
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def wait_for_starter() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        server.terminate()

    threading.Thread(target=wait_for_starter, daemon=True).start()
    while True:
        # Ctrl-C reaches all of a terminal: the starter decides.
        with contextlib.suppress(KeyboardInterrupt):
            return server.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
