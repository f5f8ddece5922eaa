"""Runs in the guest until it is killed: moves bytes between a printer gadget (/dev/g_printerN) and the printer at the
far end of a port of the virtio console.

usage: pump.py PORT GADGET
"""

import os
import select
import sys


def main(*paths: str) -> None:
    ends = [os.open(path, os.O_RDWR | os.O_NONBLOCK) for path in paths]
    others = dict(zip(ends, reversed(ends), strict=True))
    while True:
        for source in select.select(ends, [], [])[0]:
            data = os.read(source, 65536)
            while data:
                select.select([], [others[source]], [])
                data = data[os.write(others[source], data) :]


if __name__ == "__main__":
    main(*sys.argv[1:])
