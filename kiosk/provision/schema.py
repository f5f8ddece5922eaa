"""The whole of kiosk-provision.toml on one page."""

import ipaddress
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from kiosk.config import ConfigError, HealthCodeFormat, Site, Table
from kiosk.config_file import convert
from kiosk.explain import DisagreementError
from kiosk.seal import PublicKeys

VERSION = 1
NAME = "kiosk-provision.toml"


class KioskNumber(Table, frozen=True):
    number: Annotated[int, Meta(ge=1, le=99)]


class Wired(Table, frozen=True):
    """Without ``address`` it comes by DHCP, and with it the gateway and the servers."""

    address: str = ""
    gateway: str = ""
    dns: tuple[str, ...] = ()
    ntp: tuple[str, ...] = ()


class Wifi(Table, frozen=True):
    """``country``: ISO 3166, whose radio rules hold."""

    ssid: Annotated[str, Meta(min_length=1, max_length=32)]
    password: Annotated[str, Meta(min_length=8, max_length=63)]
    country: str = "CN"


class Network(Table, frozen=True):
    wired: Wired = Wired()
    wifi: Wifi | None = None


class Uplink(Table, frozen=True):
    """The broker of the command post. ``ca``: who may sign its certificate, PEM text; "" for the well-known ones."""

    host: Annotated[str, Meta(min_length=1)]
    port: Annotated[int, Meta(ge=1, le=65535)] = 8883
    tls: bool = True
    username: str = ""
    password: Annotated[str, Meta(max_length=200)] = ""
    ca: str = ""


class Key(Table, frozen=True):
    public_key: str


class Provision(Table, frozen=True):
    """``id``: one-time, made by `kiosk provision make`; "" in a file written by hand. ``policy``, ``devices`` and
    ``health_code_formats`` take the place of what the profile says, key by key, and are as in kiosk.toml."""

    version: Literal[1]
    site: Site
    kiosk: KioskNumber
    seal: Key
    profile: str = "standard"
    time_zone: str = "Asia/Shanghai"
    id: str = ""
    network: Network = Network()
    uplink: Uplink | None = None
    policy: dict[str, Any] = msgspec.field(default_factory=dict)
    devices: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    health_code_formats: tuple[HealthCodeFormat, ...] | None = None


def check(data: dict[str, Any], name: Path | str) -> Provision:
    """``data`` as a provisioning, each value by itself right; `kiosk.provision.merge` checks the whole. Raises
    ConfigError with the one line a technician needs."""
    version = data.get("version")
    if isinstance(version, int) and version > VERSION:
        raise ConfigError(
            f"{name}: version: found {version}, expected {VERSION}: it was made by a newer program: update this kiosk"
        )
    provision = convert(data, Provision, name)
    try:
        _agree(provision)
    except DisagreementError as fault:
        raise ConfigError(f"{name}: {fault}") from None
    return provision


def _agree(provision: Provision) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", provision.profile):
        raise DisagreementError("profile", provision.profile, 'the name of a profile, such as "standard"')
    if provision.id and not re.fullmatch(r"[A-Z2-7]{16}", provision.id):
        raise DisagreementError("id", provision.id, "the 16 characters that `kiosk provision make` wrote, or no id")
    if not _is_zone(provision.time_zone):
        raise DisagreementError("time_zone", provision.time_zone, 'a time zone such as "Asia/Shanghai"')
    try:
        PublicKeys.parse(provision.seal.public_key)
    except ValueError as error:
        why = f"the line in the command post's public.key: {error}"
        raise DisagreementError("seal.public_key", provision.seal.public_key[:12], why) from None
    _agree_on_network(provision.network)
    if provision.uplink is not None:
        _agree_on_uplink(provision.uplink)


def _agree_on_network(network: Network) -> None:
    wired = network.wired
    if wired.address:
        if "/" not in wired.address or not _is(ipaddress.ip_interface, wired.address):
            raise DisagreementError("network.wired.address", wired.address, 'an address such as "192.0.2.10/24"')
    elif wired.gateway:
        raise DisagreementError("network.wired.gateway", wired.gateway, "network.wired.address beside it")
    if wired.gateway and not _is(ipaddress.ip_address, wired.gateway):
        raise DisagreementError("network.wired.gateway", wired.gateway, 'an address such as "192.0.2.1"')
    for index, server in enumerate(wired.dns):
        if not _is(ipaddress.ip_address, server):
            raise DisagreementError(f"network.wired.dns[{index}]", server, 'an address such as "192.0.2.1"')
    for index, server in enumerate(wired.ntp):
        if not re.fullmatch(r"[A-Za-z0-9.:-]+", server):
            raise DisagreementError(f"network.wired.ntp[{index}]", server, "an address or a host name")
    wifi = network.wifi
    if wifi is None:
        return
    if len(wifi.ssid.encode()) > 32:
        raise DisagreementError("network.wifi.ssid", wifi.ssid, "at most 32 bytes of UTF-8")
    if not (wifi.password.isascii() and wifi.password.isprintable()):
        raise DisagreementError("network.wifi.password", "(withheld)", "8 to 63 ASCII characters, as WPA has them")
    if not re.fullmatch(r"[A-Z]{2}", wifi.country):
        raise DisagreementError("network.wifi.country", wifi.country, 'two capitals such as "CN"')


def _agree_on_uplink(uplink: Uplink) -> None:
    if not re.fullmatch(r"[A-Za-z0-9.:_-]+", uplink.host):
        raise DisagreementError("uplink.host", uplink.host, "an address or a host name, without port")
    if "\n" in uplink.password or "\r" in uplink.password:
        raise DisagreementError("uplink.password", "(withheld)", "one line")
    if uplink.password and not uplink.username:
        raise DisagreementError("uplink.username", uplink.username, "the user the password belongs to")
    if uplink.ca:
        if not uplink.tls:
            raise DisagreementError("uplink.tls", uplink.tls, "true, since there is a ca")
        try:
            ssl.create_default_context(cadata=uplink.ca)
        except (ssl.SSLError, ValueError):
            raise DisagreementError("uplink.ca", uplink.ca[:27], "a certificate in PEM, whole") from None


def _is(kind: Callable[[str], object], text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):  # no such zone, a folder, no path below the zones
        return False
    return True


SECRETS = frozenset({"password", "id"})


def withheld(table: dict[str, Any]) -> dict[str, Any]:
    """The tables without what others must not read."""
    return {
        key: withheld(value) if isinstance(value, dict) else "(kept in the kiosk)" if key in SECRETS else value
        for key, value in table.items()
    }
