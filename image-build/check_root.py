"""What must hold of the root of a slot: its users, rights, units, modules and program, and what must not be in it."""

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import system
from card import Node

KIOSK_ID = 950
ARM64 = 183
"""EM_AARCH64 of elf.h."""
LEAST_LGPIO_BYTES = 50_000
MODULES = ("kiosk_rpi", "gpio_sim", "usblp", "ftdi_sio", "cp210x", "ch341", "pl2303", "cdc_acm", "usbhid", "uinput")
MODULES += ("bcm2835_wdt", "rp1_pci", "pinctrl_rp1", "macb", "lan78xx", "smsc95xx", "brcmfmac", "rtc_ds1307", "vfat")
MODULES += ("snd_usb_audio",)
_SECRET = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----|openssh-key-v1")
_HISTORY = re.compile(r"(^|/)\.(\w*_history|lesshst|viminfo|wget-hsts)$|(^|/)authorized_keys$")
_READ_FOR_SECRETS = (
    "etc",
    "root",
    "home",
    "opt/kiosk/bin",
    "opt/kiosk/lib/kiosk",
    "usr/local",
    "usr/share/kiosk",
    "var",
)

Look = Callable[[Sequence[Node], Path], Iterator[str]]


def users(_nodes: Sequence[Node], tree: Path) -> Iterator[str]:
    """The kiosk's own user, nobody with a password, no owner without a name."""
    people = {line.split(":")[0]: line.split(":") for line in _lines(tree / "etc/passwd")}
    groups = {line.split(":")[0]: int(line.split(":")[2]) for line in _lines(tree / "etc/group")}
    kiosk = people.get("kiosk")
    if kiosk is None or (kiosk[2], kiosk[6]) != (str(KIOSK_ID), "/usr/sbin/nologin"):
        yield f"etc/passwd: user kiosk must be {KIOSK_ID} without a login, found {kiosk}"
    if groups.get("kiosk") != KIOSK_ID:
        yield f"etc/group: group kiosk must be {KIOSK_ID}, found {groups.get('kiosk')}"
    for line in _lines(tree / "etc/shadow"):
        name, password = line.split(":")[:2]
        if not password.startswith(("*", "!")):
            yield f"etc/shadow: {name} has {'a' if password else 'an empty'} password"
    yield from (
        f"etc/passwd: {name} is a second root" for name, it in people.items() if it[2] == "0" and name != "root"
    )


def rights(nodes: Sequence[Node], tree: Path) -> Iterator[str]:
    """Nothing that everyone may write, nothing that gives its user the rights of another."""
    known_users = {int(line.split(":")[2]) for line in _lines(tree / "etc/passwd")}
    known_groups = {int(line.split(":")[2]) for line in _lines(tree / "etc/group")}
    for node in nodes:
        kind, special = node.mode[0], node.mode[3] in "sS" or (node.mode[6] in "sS" and node.mode[0] == "-")
        if node.mode[8] == "w" and kind != "l" and not (kind == "d" and node.mode[9] in "tT") and kind != "c":
            yield f"{node.path}: everyone may write it ({node.mode})"
        if special:
            yield f"{node.path}: runs with the rights of its owner ({node.mode})"
        if node.uid not in known_users or node.gid not in known_groups:
            yield f"{node.path}: belongs to {node.uid}/{node.gid}, whom nobody knows"


def secrets(nodes: Sequence[Node], tree: Path) -> Iterator[str]:
    """No key, no machine-id, no history: every kiosk makes its own."""
    for node in nodes:
        if _HISTORY.search(node.path):
            yield f"{node.path}: what somebody did at the build"
        if re.fullmatch(r"etc/ssh/ssh_host_.*|var/lib/kiosk/.+|var/lib/systemd/random-seed|etc/kiosk/.+", node.path):
            yield f"{node.path}: every kiosk would have the same one"
    for name in ("etc/machine-id", "var/lib/dbus/machine-id"):
        path = tree / name
        if path.is_file() and not path.is_symlink() and path.read_text().strip() not in ("", "uninitialized"):
            yield f"{name}: every kiosk would have the same one"
    for folder in _READ_FOR_SECRETS:
        for path in (tree / folder).rglob("*"):
            if path.is_file() and not path.is_symlink() and _SECRET.search(path.read_bytes()):
                yield f"{path.relative_to(tree)}: a private key"


def traces(nodes: Sequence[Node], tree: Path) -> Iterator[str]:
    """Nothing that tells where it was built, or that would differ from build to build."""
    for node in nodes:
        if node.mode[0] == "-" and re.match(r"(var/(log|cache)|tmp|run|boot)/.", node.path):
            yield f"{node.path}: left over from the build"
        if node.path.endswith(".dist-info/direct_url.json"):
            yield f"{node.path}: a path of the build machine"
    for path in (tree / "etc/apt").rglob("*.list*"):
        if path.is_file() and path.read_text("utf-8", "replace").strip():
            yield f"{path.relative_to(tree)}: the mirror of the build"


def units(_nodes: Sequence[Node], tree: Path) -> Iterator[str]:
    """All units as systemd/ has them, on or off as its preset says, no login on any console; systemd reads them all."""
    own = system.units()
    for name in own:
        if not (tree / system.UNITS["system"] / name).is_file():
            yield f"{name} is missing"
    for name in system.MASKED:
        if _target(tree, f"etc/systemd/system/{name}") != "/dev/null":
            yield f"{name} is not masked"
    if _target(tree, system.SSH_GENERATOR) != "/dev/null":
        yield f"{system.SSH_GENERATOR} is not masked: it opens a shell on sockets of the machine"
    state = _tool("systemctl", f"--root={tree}", "is-enabled", *(wanted := _preset()))
    for name, found in zip(wanted, state.splitlines(), strict=False):
        if found != "enabled":
            yield f"{name} is {found}, the preset says enabled"
    for name in ("ssh.service", "ssh.socket"):
        if list((tree / "etc/systemd/system").glob(f"*.wants/{name}")):
            yield f"{name} is enabled: the remote shell opens by a signed command only"
    said = _tool("systemd-analyze", "verify", f"--root={tree}", "--man=no", "--recursive-errors=no", *own)
    # Words that this machine's systemd is too old to know were checked at the build, by the image's own version.
    older = _version(_tool("systemctl", "--version")) < max(map(_version, _shared(tree)), default=0)
    for line in said.splitlines():
        if any(name in line for name in own) and not (older and "Unknown key" in line):
            yield line


def modules(nodes: Sequence[Node], tree: Path) -> Iterator[str]:
    """The drivers of the boards and devices, and the kiosk's own."""
    roots = list((tree / "usr/lib/modules").iterdir()) if (tree / "usr/lib/modules").is_dir() else []
    if len(roots) != 1:
        yield f"usr/lib/modules: one kernel was expected, found {[path.name for path in roots]}"
        return
    root = roots[0]
    names = [line.partition(":")[0] for line in _lines(root / "modules.dep")]
    built_in = _lines(root / "modules.builtin")
    there = {Path(name).name.split(".")[0].replace("-", "_") for name in (*names, *built_in)}
    yield from (f"module {name} is missing" for name in MODULES if name not in there)
    files = {node.path for node in nodes}
    yield from (
        f"{name}: in modules.dep, but not there" for name in names if f"usr/lib/modules/{root.name}/{name}" not in files
    )
    own = root / "updates/kiosk_rpi.ko"
    if own.is_file() and f"vermagic={root.name} ".encode() not in own.read_bytes():
        yield f"kiosk_rpi.ko was not built for kernel {root.name}"


def program(nodes: Sequence[Node], tree: Path) -> Iterator[str]:
    """The kiosk's program, compiled, for its processor, with an lgpio that is none of the empty stubs."""
    launcher = tree / "opt/kiosk/bin/kiosk"
    if not os.access(launcher, os.X_OK):
        yield "opt/kiosk/bin/kiosk is missing or cannot be started"
    library = tree / "opt/kiosk/lib"
    for path in sorted(library.rglob("*.so*")):
        head = path.read_bytes()[:20]
        if head[:4] != b"\x7fELF" or int.from_bytes(head[18:20], "little") != ARM64:
            yield f"{path.relative_to(tree)}: not for arm64"
    lgpio = list(library.glob("_lgpio*.so"))
    if len(lgpio) != 1 or lgpio[0].stat().st_size < LEAST_LGPIO_BYTES:
        yield "opt/kiosk/lib: lgpio has no compiled part: the lamps and buttons would be dead"
    sources = {node.path for node in nodes if node.path.startswith("opt/kiosk/lib/") and node.path.endswith(".py")}
    compiled = {
        re.sub(r"__pycache__/(.+)\.cpython-\d+\.pyc$", r"\1.py", node.path)
        for node in nodes
        if "/__pycache__/" in node.path
    }
    if missing := sorted(name for name in sources - compiled if name.startswith("opt/kiosk/lib/kiosk/")):
        yield f"{missing[0]} and {len(missing) - 1} more are not compiled: each start would take seconds longer"
    if not list((tree / "usr/share/kiosk/profiles").glob("*.toml")):
        yield "usr/share/kiosk/profiles holds no profile"


CHECKS: dict[str, Look] = {
    "users": users,
    "rights": rights,
    "secrets": secrets,
    "traces": traces,
    "units": units,
    "kernel modules": modules,
    "program": program,
}


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8", "replace").splitlines() if path.is_file() else []


def _target(tree: Path, name: str) -> str:
    path = tree / name
    return str(path.readlink()) if path.is_symlink() else ""


def _shared(tree: Path) -> list[str]:
    """systemd's library, whose name has its version."""
    return [path.name for path in tree.glob("usr/lib/**/systemd/libsystemd-shared-*.so")]


def _version(text: str) -> int:
    return int(match[0]) if (match := re.search(r"\d+", text)) else 0


def _preset() -> list[str]:
    text = "\n".join(path.read_text() for path in sorted((system.ROOT / "systemd/system-preset").glob("*.preset")))
    return re.findall(r"^enable (\S+)$", text, re.MULTILINE)


def _tool(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C.UTF-8"})
    return done.stdout + done.stderr
