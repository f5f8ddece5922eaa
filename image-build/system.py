"""The root of a slot: the Debian tree, the kernel's modules, the program, and what makes a kiosk of them."""

import shutil
import subprocess
from pathlib import Path

import application
import debian
import trees

ROOT = Path(__file__).parent.parent
UNITS = {
    "system": "usr/lib/systemd/system",
    "sysusers.d": "usr/lib/sysusers.d",
    "tmpfiles.d": "usr/lib/tmpfiles.d",
    "sysctl.d": "usr/lib/sysctl.d",
    "modules-load.d": "usr/lib/modules-load.d",
    "journald.conf.d": "usr/lib/systemd/journald.conf.d",
    "system.conf.d": "usr/lib/systemd/system.conf.d",
    "logind.conf.d": "usr/lib/systemd/logind.conf.d",
    "timesyncd.conf.d": "usr/lib/systemd/timesyncd.conf.d",
    "network": "usr/lib/systemd/network",
    "system-preset": "usr/lib/systemd/system-preset",
    "udev": "usr/lib/udev/rules.d",
    "ssh": "etc/ssh/sshd_config.d",
}
"""Where each folder of systemd/ goes."""

MASKED = (
    *(
        "getty@.service",
        "serial-getty@.service",
        "autovt@.service",
        "console-getty.service",
        "container-getty@.service",
    ),
    *("ctrl-alt-del.target", "emergency.service", "rescue.service"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer", "systemd-firstboot.service"),
)
"""No login on any console: what a scanner types must end nowhere; and nobody answers a prompt."""
SSH_GENERATOR = "etc/systemd/system-generators/systemd-ssh-generator"
"""It would open a shell on sockets of the machine, unasked; masked like a unit (systemd.generator(7))."""
MOUNT_POINTS = ("data", "boot/kiosk", "etc/kiosk", "var/lib/kiosk", "var/log/journal", "var/lib/systemd/timesync")
UNWANTED = (
    *("var/log/*", "var/cache/*", "var/lib/apt/lists/*", "run/*", "tmp/*", "etc/machine-id", "var/lib/dbus/machine-id"),
    *("etc/ssh/ssh_host_*", "etc/apt/sources.list*", "root/.*", "etc/hostname", "boot/*", "usr/lib/modules/*"),
    *("var/lib/systemd/random-seed", "usr/lib/binfmt.d/*", "etc/.pwd.lock"),
    *("etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-"),
)
_KEPT_DRIVERS = (
    *("block", "char", "clk", "dma", "firmware", "gpio", "hid", "hwmon", "i2c", "input", "iio", "irqchip", "md", "mfd"),
    *(
        "misc",
        "mmc",
        "net/ethernet/broadcom",
        "net/ethernet/cadence",
        "net/phy",
        "net/mdio",
        "net/usb",
        "nvmem",
        "pci",
        "phy",
    ),
    *("net/wireless/broadcom", "pinctrl", "power", "pps", "ptp", "pwm", "regulator", "reset", "rtc", "soc", "spi"),
    *("thermal", "tty", "usb", "virtio", "watchdog", "virt", "cpufreq", "char/hw_random", "net/mii.ko.xz", "net/pcs"),
    *("net/virtio_net.ko.xz", "net/net_failover.ko.xz", "mailbox", "ata", "scsi", "cdrom", "leds", "bcma", "ssb"),
    "media/mc",  # a USB sound card is one of its devices
)
_KEPT = ("fs", "net", "lib", "crypto", "arch", "block", "security", "kernel", "mm")
_KEPT_SOUND = ("sound/soundcore.ko.xz", "sound/core", "sound/usb")
"""Speakers at USB: the one kind that every board can have."""
_FINISH = """
# kernel version, units
tree=/build/root
depmod -b $tree "$1"
shift
systemd-analyze verify --root=$tree --man=no --recursive-errors=no "$@"
systemd-sysusers --root=$tree
systemctl --root=$tree --quiet preset-all
# Every file gets the time of the image: what was compiled for another time would be compiled anew at each start.
python3 -m compileall -q -f -s $tree -p / --invalidation-mode unchecked-hash \
    $tree/opt/kiosk/lib $tree/usr/lib/python3.13 $tree/usr/lib/python3/dist-packages
"""


def assemble(builder: Path, debian_tree: Path, kernel: Path, wheelhouse: Path, built: Path, epoch: int) -> Path:
    """Makes the root below the builder, where its tools can reach it, and returns it. Raises OSError."""
    root = builder / "build/root"
    shutil.rmtree(root.parent, ignore_errors=True)
    root.parent.mkdir()
    subprocess.run(["cp", "-a", "--reflink=auto", str(debian_tree), str(root)], check=True)
    for pattern in UNWANTED:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for path in root.rglob("*"):  # nobody on a kiosk becomes somebody else
        if path.is_file() and not path.is_symlink() and (mode := path.stat().st_mode) & 0o6000:
            path.chmod(mode & 0o1777)
    modules = debian.modules_root(kernel)
    _kernel_modules(modules, root / "usr/lib/modules" / modules.name)
    extra = root / "usr/lib/modules" / modules.name / "updates/kiosk_rpi.ko"
    extra.parent.mkdir()
    shutil.copyfile(built / "kiosk_rpi.ko", extra)
    application.install(root, wheelhouse, built)
    _configure(root)
    trees.run_in(builder, _FINISH, modules.name, *units(), epoch=epoch)
    return root


def units() -> list[str]:
    """The names of the kiosk's own units."""
    return sorted(path.name for path in (ROOT / "systemd/system").iterdir() if path.suffix != ".md")


def _kernel_modules(source: Path, target: Path) -> None:
    """What a Raspberry Pi can use; the rest of a distribution's kernel is for other machines."""
    target.mkdir(parents=True)
    for name in ("modules.builtin", "modules.builtin.modinfo", "modules.order"):
        shutil.copyfile(source / name, target / name)
    for name in (*_KEPT, *_KEPT_SOUND, *(f"drivers/{driver}" for driver in _KEPT_DRIVERS)):
        found = source / "kernel" / name
        if found.is_dir():
            shutil.copytree(found, target / "kernel" / name, dirs_exist_ok=True)
        elif found.exists():
            (target / "kernel" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, target / "kernel" / name)


def _configure(root: Path) -> None:
    for folder, place in UNITS.items():
        if (source := ROOT / "systemd" / folder).is_dir():
            shutil.copytree(source, root / place, dirs_exist_ok=True)
    for unit in MASKED:
        link = root / "etc/systemd/system" / unit
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
    (root / SSH_GENERATOR).parent.mkdir(exist_ok=True)
    (root / SSH_GENERATOR).symlink_to("/dev/null")
    for folder in MOUNT_POINTS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "etc/hostname").write_text("kiosk\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 kiosk\n::1 localhost ip6-localhost\n")
    (root / "etc/resolv.conf").unlink(missing_ok=True)  # a link of systemd's own that leads nowhere yet
    (root / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    (root / "etc/systemd/system/default.target").unlink(missing_ok=True)
    (root / "etc/systemd/system/default.target").symlink_to("/usr/lib/systemd/system/multi-user.target")
    (root / "etc/fstab").write_text("# Nothing: the root is laid by the initramfs, the rest are mount units.\n")
    for folder in ("etc", "var"):  # nothing to make anew at the first start: systemd.unit(5), ConditionNeedsUpdate
        (root / folder / ".updated").touch()
    (root / "usr/lib/clock-epoch").touch()  # no clock of a kiosk shows an earlier time than the image's
