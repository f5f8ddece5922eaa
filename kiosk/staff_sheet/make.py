"""The files of `kiosk staff-sheet`: badges and command codes as PDF and PNG, and each as a label."""

import argparse
import errno
import io
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from kiosk import badges, files, seal
from kiosk.badges import Badge, CommandCode
from kiosk.notices import notice
from kiosk.provision.sheet import DPI
from kiosk.seal import PrivateKeys
from kiosk.staff_sheet import catalogue, pages
from kiosk.staff_sheet.rows import Holder, holder, read

OK = 0


def make(options: argparse.Namespace) -> int:
    """Raises SheetError, FrameError, SealError, OSError."""
    sign = PrivateKeys.parse(options.private_key.read_text("utf-8")).sign
    label_mm = _label_mm(options.label_mm)
    if options.out.exists():
        raise FileExistsError(
            errno.EEXIST, "it is there and is not overwritten: choose another folder", str(options.out)
        )
    holders = _holders(options)
    key = seal.digest_key("file", options.key) if options.key is not None else msgspec.UNSET
    signed = [(each, badges.pack(_badge(each, options.site, key), sign)) for each in holders]
    sheet = int(time.time())
    codes = [
        (
            section,
            [
                (each, badges.pack(CommandCode(site=options.site, sheet=sheet, do=each.do, text=each.text), sign))
                for each in section.codes
            ],
        )
        for section in catalogue.sections(tuple(options.lab), tuple(options.vehicle))
    ]
    for name, data in _files(options.name or options.site, signed, codes, label_mm, options.dpi):
        files.put(options.out / name, data, 0o600)
    print(f"{options.out}: {len(signed)} badges, {sum(len(each) for _, each in codes)} command codes (sheet {sheet})")
    print("Whoever holds a badge may order: hand each to its holder, destroy it after the shift.", file=sys.stderr)
    return OK


def _holders(options: argparse.Namespace) -> list[Holder]:
    if options.csv is not None:
        return read(options.csv)
    if options.badge is None:
        return []
    names = {"number": options.badge, "role": options.role, "name": options.holder, "drills": options.drills}
    return [holder(names | {"since": options.since, "until": options.until}, set())]


def _badge(each: Holder, site: str, key: bytes | msgspec.UnsetType) -> Badge:
    return Badge(
        site=site,
        badge=each.number,
        role=each.role,
        since=each.since,
        until=each.until,
        drills=each.drills,
        key=key,
    )


def _label_mm(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and 20 <= int(width) <= 200 and 20 <= int(height) <= 200):
        raise ValueError(f"--label-mm: found {text}, expected such as 50x30: width and height, 20 to 200 mm")
    return int(width), int(height)


def _files(
    site: str, signed: Sequence[tuple[Holder, str]], codes: Any, label_mm: tuple[int, int], dpi: int
) -> Iterator[tuple[str, bytes]]:
    yield from _book("badges", list(pages.badge_pages(site, signed)))
    yield from _book("commands", list(pages.command_pages(site, codes)))
    for holder_, text in signed:
        (title, _), *rest = list(pages.badge_lines(site, holder_))[1:]
        picture = notice(title, [line for line, _ in rest], label_mm, dpi, code=text)
        yield f"labels/badge-{holder_.number}.png", _saved(picture, "PNG")
    number = 0
    for _, printed in codes:
        for each, text in printed:
            number += 1
            (title, _), *rest = pages.lines(each)
            picture = notice(title, [line for line, _ in rest], label_mm, dpi, code=text)
            argument = f"-{each.text}" if each.text.isascii() and each.text.isalnum() else ""
            yield f"labels/{number:02}-{each.do}{argument}.png", _saved(picture, "PNG")


def _book(name: str, book: Sequence[Any]) -> Iterator[tuple[str, bytes]]:
    if not book:
        return
    yield f"{name}.pdf", _saved(book[0], "PDF", resolution=DPI, save_all=True, append_images=book[1:])
    for number, page in enumerate(book, 1):
        yield f"{name}-{number}.png", _saved(page, "PNG")


def _saved(image: Any, form: str, **how: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **how)
    return out.getvalue()
