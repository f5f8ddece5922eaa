"""What must hold of a root, shown on small trees: each fault alone, with its place."""

import shutil
from pathlib import Path

import check_root
import pytest
import system
from card import Node

PASSWD = "root:x:0:0:root:/root:/bin/bash\nkiosk:x:950:950:Sampling kiosk:/var/lib/kiosk:/usr/sbin/nologin\n"
GROUP = "root:x:0:\nkiosk:x:950:\n"
SHADOW = "root:*:20783:0:99999:7:::\nkiosk:!*:20783::::::\n"
KERNEL = "7.3.4+deb13-arm64"
ELF = b"\x7fELF\x02\x01\x01" + bytes(11) + (183).to_bytes(2, "little") + bytes(60_000)


def put(tree: Path, name: str, content: str | bytes) -> None:
    path = tree / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, content in {"passwd": PASSWD, "group": GROUP, "shadow": SHADOW}.items():
        put(tmp_path, f"etc/{name}", content)
    modules = f"usr/lib/modules/{KERNEL}"
    names = [f"kernel/{name}.ko.xz" for name in check_root.MODULES if name != "kiosk_rpi"] + ["updates/kiosk_rpi.ko"]
    put(tmp_path, f"{modules}/modules.dep", "".join(f"{name}:\n" for name in names))
    for name in names:
        put(tmp_path, f"{modules}/{name}", f"vermagic={KERNEL} SMP")
    put(tmp_path, "opt/kiosk/bin/kiosk", "#!/usr/bin/python3\n")
    (tmp_path / "opt/kiosk/bin/kiosk").chmod(0o755)
    put(tmp_path, "opt/kiosk/lib/kiosk/app.py", "")
    put(tmp_path, "opt/kiosk/lib/kiosk/__pycache__/app.cpython-313.pyc", "")
    put(tmp_path, "opt/kiosk/lib/_lgpio.cpython-313-aarch64-linux-gnu.so", ELF)
    put(tmp_path, "usr/share/kiosk/profiles/standard.toml", "")
    return tmp_path


def nodes(tree: Path) -> list[Node]:
    """As unsquashfs would list the tree, all of root's."""
    found = []
    for path in sorted(tree.rglob("*")):
        kind = "l" if path.is_symlink() else "d" if path.is_dir() else "-"
        found.append(Node(f"{kind}rwxr-xr-x", 0, 0, str(path.relative_to(tree)), ""))
    return found


def faults(tree: Path, name: str) -> list[str]:
    return list(check_root.CHECKS[name](nodes(tree), tree))


@pytest.mark.parametrize("name", [name for name in check_root.CHECKS if name != "units"])
def test_a_good_root_is_good(tree: Path, name: str) -> None:
    assert faults(tree, name) == []


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("passwd", PASSWD.replace("kiosk:x:950", "kiosk:x:998"), "etc/passwd: user kiosk must be 950 without a login"),
        (
            "passwd",
            PASSWD.replace("/usr/sbin/nologin", "/bin/sh"),
            "etc/passwd: user kiosk must be 950 without a login",
        ),
        ("passwd", PASSWD + "toor:x:0:0::/:/bin/sh\n", "etc/passwd: toor is a second root"),
        ("group", "root:x:0:\n", "etc/group: group kiosk must be 950, found None"),
        ("shadow", "root::20783::::::\n", "etc/shadow: root has an empty password"),
        ("shadow", "root:$y$j9T$abc:20783::::::\n", "etc/shadow: root has a password"),
    ],
)
def test_users(tree: Path, name: str, content: str, told: str) -> None:
    put(tree, f"etc/{name}", content)
    assert [line for line in faults(tree, "users") if line.startswith(told)]


@pytest.mark.parametrize(
    ("mode", "owner", "told"),
    [
        ("-rwsr-xr-x", 0, "x: runs with the rights of its owner (-rwsr-xr-x)"),
        ("-rwxr-sr-x", 0, "x: runs with the rights of its owner (-rwxr-sr-x)"),
        ("-rw-rw-rw-", 0, "x: everyone may write it (-rw-rw-rw-)"),
        ("drwxrwxrwx", 0, "x: everyone may write it (drwxrwxrwx)"),
        ("-rw-r--r--", 1000, "x: belongs to 1000/1000, whom nobody knows"),
        ("drwxrwxrwt", 0, None),
        ("drwxr-sr-x", 0, None),
        ("lrwxrwxrwx", 0, None),
        ("crw-rw-rw-", 0, None),
    ],
)
def test_rights(tree: Path, mode: str, owner: int, told: str | None) -> None:
    assert list(check_root.rights([Node(mode, owner, owner, "x", "")], tree)) == ([told] if told else [])


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("etc/ssh/ssh_host_ed25519_key", "x", "every kiosk would have the same one"),
        ("etc/machine-id", "0123456789abcdef0123456789abcdef\n", "every kiosk would have the same one"),
        ("etc/kiosk/kiosk.toml", "site = 1", "every kiosk would have the same one"),
        ("var/lib/kiosk/device.key", "x", "every kiosk would have the same one"),
        ("root/.bash_history", "ls\n", "what somebody did at the build"),
        ("root/.ssh/authorized_keys", "ssh-ed25519 AAAA", "what somebody did at the build"),
        ("opt/kiosk/lib/kiosk/test.pem", "-----BEGIN EC PRIVATE " + "KEY-----\n", "a private key"),
    ],
)
def test_secrets(tree: Path, name: str, content: str, told: str) -> None:
    put(tree, name, content)
    assert faults(tree, "secrets") == [f"{name}: {told}"]


@pytest.mark.parametrize("content", ["", "uninitialized\n"])
def test_an_empty_machine_id_is_none(tree: Path, content: str) -> None:
    put(tree, "etc/machine-id", content)
    assert faults(tree, "secrets") == []


def test_traces_of_the_build(tree: Path) -> None:
    put(tree, "var/log/dpkg.log", "x")
    put(tree, "opt/kiosk/lib/six-1.dist-info/direct_url.json", "{}")
    put(tree, "etc/apt/sources.list", "deb http://mirror.example.org/debian trixie main\n")
    assert faults(tree, "traces") == [
        "opt/kiosk/lib/six-1.dist-info/direct_url.json: a path of the build machine",
        "var/log/dpkg.log: left over from the build",
        "etc/apt/sources.list: the mirror of the build",
    ]


def test_a_missing_module_and_one_of_another_kernel(tree: Path) -> None:
    modules = tree / "usr/lib/modules" / KERNEL
    (modules / "kernel/usblp.ko.xz").unlink()
    dep = modules / "modules.dep"
    dep.write_text(dep.read_text().replace("kernel/gpio_sim.ko.xz:\n", ""))
    put(modules, "updates/kiosk_rpi.ko", "vermagic=6.12 SMP")
    assert faults(tree, "kernel modules") == [
        "module gpio_sim is missing",
        "kernel/usblp.ko.xz: in modules.dep, but not there",
        f"kiosk_rpi.ko was not built for kernel {KERNEL}",
    ]


def test_no_kernel(tree: Path) -> None:
    (tree / "usr/lib/modules" / KERNEL).rename(tree / "elsewhere")
    assert faults(tree, "kernel modules") == ["usr/lib/modules: one kernel was expected, found []"]


def test_the_program(tree: Path) -> None:
    library = tree / "opt/kiosk/lib"
    (tree / "opt/kiosk/bin/kiosk").chmod(0o644)
    put(library, "native.so", ELF.replace((183).to_bytes(2, "little"), (62).to_bytes(2, "little"), 1))
    put(library, "_lgpio.cpython-313-aarch64-linux-gnu.so", ELF[:500])
    put(library, "kiosk/late.py", "")
    (tree / "usr/share/kiosk/profiles/standard.toml").unlink()
    assert faults(tree, "program") == [
        "opt/kiosk/bin/kiosk is missing or cannot be started",
        "opt/kiosk/lib/native.so: not for arm64",
        "opt/kiosk/lib: lgpio has no compiled part: the lamps and buttons would be dead",
        "opt/kiosk/lib/kiosk/late.py and 0 more are not compiled: each start would take seconds longer",
        "usr/share/kiosk/profiles holds no profile",
    ]


@pytest.mark.skipif(shutil.which("systemctl") is None, reason="sh scripts/need.sh image-check")
def test_units(tree: Path) -> None:
    """On a tree with the kiosk's own units only; those of Debian are missing, which the preset notices."""
    place = tree / system.UNITS["system"]
    shutil.copytree(system.ROOT / "systemd/system", place)
    for name in system.MASKED:
        (tree / "etc/systemd/system").mkdir(parents=True, exist_ok=True)
        (tree / f"etc/systemd/system/{name}").symlink_to("/dev/null")
    (tree / "etc/systemd/system/getty@.service").unlink()
    (place / "kiosk-safe.service").unlink()
    put(place, "kiosk.service", "[Unit]\nDescription=x\n[Service]\nExecStart=/opt/kiosk/bin/nonesuch\nNonsense=1\n")
    put(tree, "etc/systemd/system/multi-user.target.wants/ssh.service", "")
    found = faults(tree, "units")
    assert "kiosk-safe.service is missing" in found
    assert "getty@.service is not masked" in found
    assert [line for line in found if line.startswith(f"{system.SSH_GENERATOR} is not masked")]
    assert [line for line in found if line.startswith("kiosk-provision.service is ")]
    assert "ssh.service is enabled: the remote shell opens by a signed command only" in found
    assert [line for line in found if "kiosk.service" in line and "Nonsense" in line]
    assert [line for line in found if "kiosk.service" in line and "/opt/kiosk/bin/nonesuch is not executable" in line]
