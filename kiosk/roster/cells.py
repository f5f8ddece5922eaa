"""What a cell of a roster means: headings, days, hours, classes as people write them. Pure."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from kiosk.domain import Category
from kiosk.identity import kind_of, normalise
from kiosk.seal import normal_number

HEADINGS = {
    "name": "姓名 名字 name",
    "number": "证件号码 证件号 身份证号 身份证号码 身份证 number idnumber",
    "phone": "电话 手机 手机号 手机号码 联系电话 电话号码 phone",
    "place": "楼栋/村 楼栋 楼号 村 村组 自然村 小区 班级 单位 place building village class",
    "category": "类别 人员类别 category",
    "every": "频次 频次(天) 检测频次 every_days",
    "last": "上次采样 上次采样日期 上次检测 last",
    "status": "状态 status",
    "slot": "时段 采样时段 slot",
    "site": "采样点 采样点编号 site",
    "vehicle": "车牌 车牌号 vehicle",
    "origin": "始发地 origin",
    "arrival": "到达 到达时间 arrival",
    "report": "7日核酸 7日核酸报告 7日内核酸 核酸报告 report",
}
"""Field to the headings that name it; blanks, case and width do not matter."""

_CATEGORIES = {
    Category.GENERAL: "general 一般 普通 一般人群 普通人群 学生",
    Category.KEY: "key 重点 重点人群 重点人员",
    Category.CONTACT: "contact 密接 密接者 次密接 密切接触者",
    Category.RETURNEE: "returnee 返乡 返街 返岗 返回 境外 中高风险 高风险",
    Category.RECOVERED: "recovered 既往感染 阳康 曾感染",
}
_HERE, _AWAY, _VISIT = "在家 在册 here home", "外出 离开 离街 away", "上门 行动不便 visit"
_YES, _NO = "有 是 yes y 1 true", "无 没有 否 no n 0 false"
_DAY_ONE = date(1970, 1, 1)
_DATE = re.compile(r"(\d{4})(?:[-/.]|年)(\d{1,2})(?:[-/.]|月)(\d{1,2})日?")
_PACKED = re.compile(r"(\d{4})(\d{2})(\d{2})")
_SERIAL = re.compile(r"([2-7]\d{4})(?:\.\d+)?")
_MOMENT = re.compile(r"(.+?)[ T]+(\d{1,2}):(\d{2})(?::\d{2})?")
_SLOT = re.compile(r"(\d{1,2}):(\d{2})(?:-|~|—|–|至|到)+(\d{1,2}):(\d{2})")
_PHONE = re.compile(r"1\d{10}|0\d{9,11}|\d{7,8}|\+\d{8,15}")


def plain(text: str) -> str:
    """As cells are compared: half-width, small letters, no blanks."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).casefold()


FIELD_OF = {plain(heading): field for field, headings in HEADINGS.items() for heading in headings.split()}


class CellError(ValueError):
    """``found`` and ``expected`` as one text; never repeats personal data."""


def _wrong(found: str, expected: str) -> CellError:
    return CellError(f"found {found}, expected {expected}")


def name(cell: str) -> dict[str, Any]:
    if len(cell) > 100:
        raise _wrong(f"{len(cell)} characters", "a name")
    return {"name": cell}


def number(cell: str) -> dict[str, Any]:
    """A number whose check digit is wrong is nobody's: it never gets onto the list (rule G8)."""
    number = normalise(re.sub("['`’]", "", normal_number(cell)))
    if re.fullmatch(r"\d(\.\d+)?E\+?\d+", number):
        raise _wrong("a number that the spreadsheet has rounded", "text: give the column the format Text, type it anew")
    if kind_of(number) is None:
        if re.fullmatch(r"\d{17}[\dX]", number):
            raise _wrong("a wrong check digit", "the 18 characters of the card: compare them")
        raise _wrong(f"{len(number)} characters of a wrong form", "18 characters of an ID card, or 15 of a foreigner's")
    return {"number": number}


def phone(cell: str) -> dict[str, Any]:
    number = re.sub(r"[\s\-()]", "", unicodedata.normalize("NFKC", cell))
    if not _PHONE.fullmatch(number):
        raise _wrong(f"{len(number)} characters", "a telephone number, such as one of 11 digits")
    return {"phone": number}


def place(cell: str) -> dict[str, Any]:
    if len(cell) > 40:
        raise _wrong(f"{len(cell)} characters", "a building, village or class of at most 40")
    return {"place": cell}


def site(cell: str) -> dict[str, Any]:
    if not re.fullmatch(r"[0-9]{6}", plain(cell)):
        raise _wrong(f'"{cell[:12]}"', "the six digits of a sampling point")
    return {"site": plain(cell)}


def category(cell: str) -> dict[str, Any]:
    if _is(cell, _VISIT):
        return {"visit": True}
    for each, names in _CATEGORIES.items():
        if _is(cell, names):
            return {"category": each}
    raise _wrong(f'"{cell[:12]}"', " or ".join(names.split()[1] for names in _CATEGORIES.values()))


def status(cell: str) -> dict[str, Any]:
    for names, meaning in ((_HERE, {}), (_AWAY, {"away": True}), (_VISIT, {"visit": True})):
        if _is(cell, names):
            return meaning
    raise _wrong(f'"{cell[:12]}"', "在家, 外出 or 上门")


def every(cell: str) -> dict[str, Any]:
    found = re.fullmatch(r"(?:每)?(\d{1,3})(?:天|日|d)?(?:1次|一次|/次)?", plain(cell))
    if found is None or not 1 <= int(found[1]) <= 255:
        raise _wrong(f'"{cell[:12]}"', "days between two samplings, such as 5 or 10")
    return {"every": int(found[1])}


def last(cell: str) -> dict[str, Any]:
    return {"last": _day(cell)}


def slot(cell: str) -> dict[str, Any]:
    found = _SLOT.fullmatch(plain(cell))
    if found is not None:
        start, end = (int(found[i]) * 60 + int(found[i + 1]) for i in (1, 3))
        if int(found[2]) < 60 and int(found[4]) < 60 and start < end <= 24 * 60:
            return {"start": start, "end": end}
    raise _wrong(f'"{cell[:20]}"', "an hour such as 08:00-09:00")


def vehicle(cell: str) -> dict[str, Any]:
    return {"vehicle": cell[:100]}


def origin(cell: str) -> dict[str, Any]:
    return {"origin": cell[:100]}


def arrival(cell: str) -> dict[str, Any]:
    """Day and time, or the day alone, which counts from its beginning."""
    text = unicodedata.normalize("NFKC", cell).strip()
    if _SERIAL.fullmatch(text):
        return {"arrival": round((float(text) - (_DAY_ONE - date(1899, 12, 30)).days) * 24 * 60)}
    found = _MOMENT.fullmatch(text)
    minutes = int(found[2]) * 60 + int(found[3]) if found is not None else 0
    if minutes >= 24 * 60 or (found is not None and int(found[3]) > 59):
        raise _wrong(f'"{cell[:20]}"', "day and time such as 2022-03-16 08:30")
    return {"arrival": _day(found[1] if found is not None else text) * 24 * 60 + minutes}


def report(cell: str) -> dict[str, Any]:
    """有 or 无, or the day of the sampling; whether that is within seven days is told from the arrival."""
    if _is(cell, _YES):
        return {"report": True}
    if _is(cell, _NO):
        return {}
    return {"report_day": _day(cell)}


def _day(cell: str) -> int:
    """Days since 1970-01-01."""
    text = unicodedata.normalize("NFKC", cell).strip()
    if serial := _SERIAL.fullmatch(text):
        return (date(1899, 12, 30) + timedelta(int(serial[1])) - _DAY_ONE).days
    text = text.removesuffix("00:00:00").strip()
    found = _DATE.fullmatch(text) or _PACKED.fullmatch(text)
    try:
        if found is not None and (days := (datetime(*map(int, found.groups())).date() - _DAY_ONE).days) > 0:  # type: ignore[arg-type]  # noqa: DTZ001
            return days
    except ValueError:
        pass
    raise _wrong(f'"{cell[:20]}"', "a day such as 2022-03-16")


def _is(cell: str, names: str) -> bool:
    return plain(cell) in map(plain, names.split())


MEANING: dict[str, Callable[[str], dict[str, Any]]] = {
    "name": name,
    "number": number,
    "phone": phone,
    "place": place,
    "category": category,
    "every": every,
    "last": last,
    "status": status,
    "slot": slot,
    "site": site,
    "vehicle": vehicle,
    "origin": origin,
    "arrival": arrival,
    "report": report,
}
"""Field to what its cell adds to an Entry. Each raises CellError."""
