"""From [network] to the files of systemd-networkd and wpa_supplicant. They live in RAM and are made at each start, so
that no password lies in a second place."""

from kiosk.provision.schema import Network, Wifi, Wired

WIRED = "systemd/network/70-kiosk-wired.network"
WIFI = "systemd/network/70-kiosk-wifi.network"
SUPPLICANT = "wpa_supplicant/wpa_supplicant-wlan0.conf"


def files(network: Network) -> dict[str, str]:
    """Path below /run to content; "" for a file that must not be there."""
    wifi = network.wifi
    return {
        WIRED: _wired(network.wired),
        WIFI: _WIFI if wifi is not None else "",
        SUPPLICANT: _supplicant(wifi) if wifi is not None else "",
    }


def _wired(wired: Wired) -> str:
    """Nobody waits for it: offline is the normal case."""
    lines = ["[Match]", "Name=e* usb*", "", "[Link]", "RequiredForOnline=no", "", "[Network]", "LLMNR=no"]
    if wired.address:
        lines += ["DHCP=no", f"Address={wired.address}"]
        lines += [f"Gateway={wired.gateway}"] if wired.gateway else []
    else:
        lines += ["DHCP=yes"]
    lines += [f"DNS={server}" for server in wired.dns] + [f"NTP={server}" for server in wired.ntp]
    if not wired.address:
        lines += ["", "[DHCPv4]", "UseDomains=no"]
    return "\n".join(lines) + "\n"


_WIFI = """\
[Match]
Name=wl*

[Link]
RequiredForOnline=no

[Network]
LLMNR=no
DHCP=yes

[DHCPv4]
UseDomains=no
RouteMetric=2048
"""
"""The wire is preferred where both are there."""


def _supplicant(wifi: Wifi) -> str:
    """wpa_supplicant.conf(5). The name is hex, since it may hold any bytes; between quotes a password needs no escapes,
    its last quote ends it."""
    return "\n".join(
        (
            "ctrl_interface=DIR=/run/wpa_supplicant",
            f"country={wifi.country}",
            "network={",
            f"\tssid={wifi.ssid.encode().hex()}",
            "\tscan_ssid=1",
            f'\tpsk="{wifi.password}"',
            "\tkey_mgmt=WPA-PSK WPA-PSK-SHA256",
            "}",
            "",
        )
    )
