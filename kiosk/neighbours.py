"""Two kiosks with one number at a site: tubes would carry the same numbers, and the command post would keep one of them
apart. Each kiosk therefore says on the local network who it is, and hears whether another one says the same.

A beacon is a signed message (docs/protocol.md, "Beacon") to a multicast group, over IPv4 as far as the site's switches
carry it and over IPv6's link-local addresses, which need no address to be given. Nothing is answered, nothing waits for
the network, and whatever else comes in is passed over.
"""

import asyncio
import contextlib
import logging
import random
import socket
import struct
import time
from collections.abc import Callable
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta
from nacl.signing import SigningKey, VerifyKey

from kiosk import frames
from kiosk.frames import FrameError
from kiosk.seal import fingerprint

log = logging.getLogger(__name__)

GROUP_4, GROUP_6, PORT = "239.255.75.73", "ff02::4b49:4f53:4b", 18773
EVERY_S = 10.0
HOLD_S = 180.0
"""So long after the last word of another kiosk it is still taken to be there."""

_LABEL = b"kiosk-beacon-1\0"
_MAX_BEACON = 512
_AT_ONCE = 20
_PAUSE_S = 1.0
"""After so many messages in one go the others wait: a flood costs the desk nothing."""

Bytes8 = Annotated[bytes, Meta(min_length=8, max_length=8)]
Bytes32 = Annotated[bytes, Meta(min_length=32, max_length=32)]


class Beacon(msgspec.Struct, frozen=True, kw_only=True):
    """``key``: the device's verify key, which signs it; ``boot``: 8 bytes, new with each start of the machine."""

    v: int = frames.VERSION
    site: Annotated[str, Meta(pattern="^[0-9]{6}$")]
    kiosk: int
    key: Bytes32
    boot: Bytes8


def pack(beacon: Beacon, key: SigningKey) -> bytes:
    return frames.sign(_LABEL, beacon, key)


def unpack(data: bytes) -> Beacon:
    """The beacon, signed by the very key it names. Raises FrameError."""
    return frames.verify(_LABEL, data, Beacon, VerifyKey(frames.claim(data, Beacon).key))


class _Other(NamedTuple):
    key: bytes
    where: str
    until: float


class Doubles:
    """Who else goes by this kiosk's number. The clock is monotonic, in seconds."""

    def __init__(self, site: str, number: int, key: bytes, clock: Callable[[], float] = time.monotonic) -> None:
        self._site, self._number, self._key = site, number, key
        self._clock = clock
        self._other: _Other | None = None

    def heard(self, key: bytes, where: str) -> None:
        """Of a device with this key, "on the local network" or "from the broker"."""
        self._other = _Other(key, where, self._clock() + HOLD_S)

    def issues(self) -> dict[str, str]:
        """Code to hint."""
        other = self._other
        if other is None or self._clock() >= other.until:
            return {}
        mine = fingerprint(VerifyKey(self._key))
        if other.key == self._key:
            hint = (
                f"a copy of this card is at work in another machine ({other.where}), fingerprint {mine}: take one out"
            )
        else:
            theirs = fingerprint(VerifyKey(other.key))
            hint = (
                f"another kiosk is number {self._number} of site {self._site} too ({other.where}): its fingerprint is"
                f" {theirs}, that of this one {mine}; provision one of them with another number"
            )
        return {"number-taken": hint}


class Neighbours:
    """Says who this kiosk is and listens. ``port`` and ``interfaces`` (indices) are for tests."""

    def __init__(
        self,
        site: str,
        number: int,
        key: SigningKey,
        boot: bytes,
        doubles: Doubles,
        *,
        port: int = PORT,
        interfaces: Callable[[], list[int]] | None = None,
    ) -> None:
        self._site, self._number, self._key, self._boot = site, number, bytes(key.verify_key), boot
        self._beacon = pack(Beacon(site=site, kiosk=number, key=self._key, boot=boot), key)
        self._doubles = doubles
        self._port = port
        self._interfaces = interfaces or _all_interfaces

    async def run(self) -> None:
        """Works until cancelled, with or without a network. Raises nothing else."""
        sockets: list[socket.socket] = []
        try:
            while True:
                sockets = sockets or self._opened()
                for sock in sockets:
                    self._say(sock)
                await asyncio.sleep(EVERY_S * random.uniform(0.8, 1.2))
        finally:
            for sock in sockets:
                asyncio.get_running_loop().remove_reader(sock)
                sock.close()

    def _opened(self) -> list[socket.socket]:
        sockets = []
        for family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError):  # a kernel without it
                sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
                try:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    if family == socket.AF_INET6:
                        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    sock.bind(("", self._port))
                except OSError as error:
                    log.warning("no beacon over %s: %s", family.name, error.strerror)
                    sock.close()
                    continue
                sockets.append(sock)
                self._listen(sock)
        return sockets

    # Saying -----------------------------------------------------------------------------------------------------------

    def _say(self, sock: socket.socket) -> None:
        """On every network there is now; cables come and go."""
        for index in self._interfaces():
            with contextlib.suppress(OSError):  # no address there, no network behind it
                _join(sock, index)
            with contextlib.suppress(OSError):
                _aim(sock, index)
                group = GROUP_4 if sock.family == socket.AF_INET else GROUP_6
                sock.sendto(self._beacon, (group, self._port))

    # Listening --------------------------------------------------------------------------------------------------------

    def _listen(self, sock: socket.socket) -> None:
        if sock.fileno() != -1:
            asyncio.get_running_loop().add_reader(sock, self._read, sock)

    def _read(self, sock: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            try:
                self.hear(sock.recv(_MAX_BEACON + 1))
            except OSError:  # nothing more, or a network that went
                return
        loop = asyncio.get_running_loop()
        loop.remove_reader(sock)
        loop.call_later(_PAUSE_S, self._listen, sock)

    def hear(self, data: bytes) -> None:
        """One message from the network. What is no beacon of this number is passed over."""
        if len(data) > _MAX_BEACON or data == self._beacon:
            return
        try:
            claim = frames.claim(data, Beacon)
            if (claim.site, claim.kiosk) != (self._site, self._number) or self._is_mine(claim):
                return
            beacon = unpack(data)
        except FrameError:
            return
        self._doubles.heard(beacon.key, "on the local network")

    def _is_mine(self, beacon: Beacon) -> bool:
        return (beacon.key, beacon.boot) == (self._key, self._boot)


def _all_interfaces() -> list[int]:
    with contextlib.suppress(OSError):
        return [index for index, _ in socket.if_nameindex()]
    return []


def _join(sock: socket.socket, index: int) -> None:
    """ip(7), ipv6(7). Raises OSError, also when it has joined before."""
    if sock.family == socket.AF_INET:
        member = struct.pack("=4s4si", socket.inet_aton(GROUP_4), bytes(4), index)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    else:
        member = struct.pack("=16sI", socket.inet_pton(socket.AF_INET6, GROUP_6), index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, member)


def _aim(sock: socket.socket, index: int) -> None:
    """What is sent next leaves by this interface. Raises OSError."""
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), index))
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
