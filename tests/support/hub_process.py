"""A receiver in a process of its own that kills itself (SIGKILL) at the nth time it comes to a step."""

import os
import signal
import sys
from pathlib import Path

from tests.support.post import hub


def main(db: str, port: str, step: str, hit: str) -> None:
    left = int(hit)

    def at(name: str) -> None:
        nonlocal left
        left -= name == step
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    with hub(Path(db), int(port), at):
        signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
