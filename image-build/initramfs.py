"""A small initramfs: busybox, the kernel modules that are named with all they need, and an init script.

The archive is "newc" cpio (the kernel's Documentation/driver-api/early-userspace/buffer-format.rst), not compressed,
and the same bytes for the same inputs: names sorted, times and owners zero.
"""

import lzma
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

FOLDERS = ("bin", "dev", "mnt", "modules", "proc", "run", "sys")
_BLOCK = 512


class ModuleMissingError(ValueError):
    """The kernel has no such module; the text names it and the kernel."""


def build(
    out: Path,
    *,
    modules_root: Path,
    modules: Sequence[str],
    busybox: Path,
    init: str,
    extra: Mapping[str, bytes] | None = None,
) -> list[str]:
    """Writes the archive to ``out`` and returns the file names of its modules, in the order they must be inserted.

    ``modules_root``: …/lib/modules/VERSION, with depmod's files; ``modules`` by name, those built in are passed over.
    Each lies decompressed under /modules, and /modules/order lists them. ``init`` becomes /init; ``extra``: path to
    content of further files. Raises ModuleMissingError, OSError.
    """
    paths = insert_order(modules_root, modules)
    files: dict[str, tuple[int, bytes]] = dict.fromkeys(FOLDERS, (stat.S_IFDIR | 0o755, b""))
    files["bin/busybox"] = (stat.S_IFREG | 0o755, busybox.read_bytes())
    files["bin/sh"] = (stat.S_IFLNK | 0o777, b"busybox")
    files["init"] = (stat.S_IFREG | 0o755, init.encode())
    names = []
    for path in paths:
        names.append(name := Path(path).name.split(".ko")[0] + ".ko")
        files[f"modules/{name}"] = (stat.S_IFREG | 0o644, _plain(modules_root / path))
    files["modules/order"] = (stat.S_IFREG | 0o644, "".join(f"{name}\n" for name in names).encode())
    for name, content in (extra or {}).items():
        for parent in reversed(Path(name).parents[:-1]):
            files.setdefault(str(parent), (stat.S_IFDIR | 0o755, b""))
        files[name] = (stat.S_IFREG | 0o644, content)
    with out.open("wb") as file:
        file.writelines(archive(files))
    return names


def insert_order(modules_root: Path, modules: Iterable[str]) -> list[str]:
    """Paths of the modules and of all they depend on, relative to ``modules_root``, each after what it needs."""
    needs = {}
    for line in (modules_root / "modules.dep").read_text().splitlines():
        path, _, rest = line.partition(":")
        needs[path] = rest.split()
    by_name = {_name(path): path for path in needs}
    built_in = {_name(line) for line in (modules_root / "modules.builtin").read_text().split()}
    order: dict[str, None] = {}
    for module in modules:
        name = module.replace("-", "_")
        if name in by_name:
            path = by_name[name]
            order.update(dict.fromkeys([*reversed(needs[path]), path]))
        elif name not in built_in:
            raise ModuleMissingError(f"kernel {modules_root.name} has no module {module}")
    return list(order)


def _name(path: str) -> str:
    return Path(path).name.split(".ko")[0].replace("-", "_")


def _plain(path: Path) -> bytes:
    content = path.read_bytes()
    return lzma.decompress(content) if path.suffix == ".xz" else content


def archive(files: Mapping[str, tuple[int, bytes]]) -> Iterator[bytes]:
    """A newc archive of path → (mode, content; of a link its target), folders before what is in them."""
    size = 0
    for inode, (name, (mode, content)) in enumerate(sorted(files.items()), 1):
        yield (entry := _entry(inode, name, mode, content))
        size += len(entry)
    yield (entry := _entry(0, "TRAILER!!!", 0, b""))
    yield bytes(-(size + len(entry)) % _BLOCK)


def _entry(inode: int, name: str, mode: int, content: bytes) -> bytes:
    links = 2 if stat.S_ISDIR(mode) else 1
    numbers = (inode, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name.encode()) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % number for number in numbers) + name.encode() + b"\0"
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
