"""Staff put things right at the kiosk itself: badge and command codes at the scanner, labels off the printer."""

import time
from pathlib import Path

import pytest

from kiosk import badges
from kiosk.badges import Badge, CommandCode
from kiosk.domain import Do, Role, Specimen
from kiosk.facts import Corrected, Unbound
from kiosk.labels import NASAL, TubeLabel, render
from kiosk.people import person
from kiosk.seal import PrivateKeys
from kiosk.staff import TAKES
from tests.support.site_day import SiteDay, open_site

HOUR_MS = 3_600_000


def sign(day: SiteDay, what: Badge | CommandCode) -> str:
    keys = PrivateKeys.parse((day.rig.keys / "private.key").read_text("utf-8"))
    return badges.pack(what, keys.sign)


async def order(day: SiteDay, do: Do, text: str = "") -> None:
    """A trained registrar shows their badge and a code of the sheet, and the kiosk takes it."""
    now = time.time_ns() // 1_000_000
    badge = Badge(site="360481", badge=7, role=Role.REGISTRAR, since=now - HOUR_MS, until=now + HOUR_MS, drills=3)
    assert await day.only_a_code(sign(day, badge)) == "acknowledged"
    code = sign(day, CommandCode(site="360481", sheet=1, do=do, text=text))
    await taken(day, code, "held" if do in TAKES else "acknowledged")


async def taken(day: SiteDay, code: str, tone: str = "held") -> None:
    """A code is shown, and the kiosk answers so, or waits for more."""
    since = len(day.rig.panel.history)
    assert day.rig.scanner is not None
    await day.rig.scanner.scan(code)
    await day.rig.panel.wait_for(lambda panel: panel.buzzer == tone, since=since)


def picture(day: SiteDay, which: int, **fields: object) -> tuple[bytes, bytes]:
    """The label that came out as number ``which``, and as it should be."""
    closed = next(entry for entry in day.rig.entries() if entry.fact == day.tubes[0])
    config = day.rig.config
    label = TubeLabel(
        **{
            "site": config.site.name,
            "tube": closed.fact.tube,
            "members": closed.fact.members,
            "size": closed.fact.size,
            "at": closed.at,
            "specimen": config.policy.specimen,
        }
        | fields
    )
    drawn = render(label, config.devices.printer.label_mm, config.devices.printer.dpi)
    return day.rig.labels[which].convert("1").tobytes(), drawn.tobytes()


async def test_who_leaves_after_closing_is_withdrawn_by_badge_and_card_and_the_label_comes_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with open_site(tmp_path, pool_size=5, group_size=5) as day:
        await day.residents(*range(5))
        await day.labels(1)
        await order(day, Do.LEFT)
        assert await day.resident(2, None) == "acknowledged"
        numbers = await day.labels(2)
        assert numbers[0] == numbers[1] == day.tubes[0].tube
        printed, wanted = picture(day, 1, members=4, reprint=True)
        assert printed == wanted
        await day.release_the_group()
        assert day.released == [4]
        assert await day.resident(2) == "accepted"  # and may come again
        assert await day.technician("journal", "--story") == 0
        assert "Has left 已离开: person 3" in capsys.readouterr().out


async def test_who_leaves_after_the_release_is_on_record_as_not_sampled(tmp_path: Path) -> None:
    async with open_site(tmp_path, pool_size=5, group_size=5) as day:
        await day.residents(*range(5))
        await day.release_the_group()
        await order(day, Do.LEFT)
        assert await day.resident(2, None) == "acknowledged"
        assert [fact.late for fact in day.told(Unbound)] == [True]
        assert [fact.late for fact in day.told(Corrected)] == [True]
        assert len(await day.labels(1)) == 1


async def test_a_label_that_was_peeled_off_is_printed_again(tmp_path: Path) -> None:
    async with open_site(tmp_path, pool_size=5, group_size=5) as day:
        await day.residents(*range(5))
        await day.labels(1)
        await order(day, Do.REPRINT)
        numbers = await day.labels(2)
        assert numbers[0] == numbers[1]
        printed, wanted = picture(day, 1, reprint=True)
        assert printed == wanted


async def test_an_infant_s_nasal_swab_has_a_tube_and_label_of_its_kind_and_goes_with_the_group(tmp_path: Path) -> None:
    async with open_site(tmp_path, pool_size=5, group_size=5) as day:
        await day.residents(1, 2)
        await order(day, Do.NASAL_NEXT)
        await day.residents(3, 4, 5, 6)
        assert day.tubes[0].specimen is Specimen.NASAL
        await day.labels(2)
        printed, wanted = picture(day, 0, specimen=NASAL, name=person(3).name)
        assert printed == wanted
        await day.release_the_group()
        assert day.released == [6]


async def test_a_household_between_two_halves_of_a_pool(tmp_path: Path) -> None:
    async with open_site(tmp_path, pool_size=5, group_size=5) as day:
        await day.residents(1, 2)
        await order(day, Do.HOUSEHOLD_START)
        await day.residents(11, 12, 13)
        await order(day, Do.HOUSEHOLD_END)
        await day.labels(1)
        printed, wanted = picture(day, 0, household=True)
        assert printed == wanted
        await day.residents(3, 4, 5)
        assert [(tube.members, tube.size) for tube in day.tubes] == [(3, 10), (5, 5)]
        await day.release_the_group()
        assert day.released == [8]


async def test_at_open_the_first_person_carries_the_labelled_tube(tmp_path: Path) -> None:
    async with open_site(tmp_path, pool_size=5, group_size=5, label_at="open") as day:
        await day.residents(1)
        [first] = await day.labels(1)
        await day.residents(2, 3, 4, 5)
        await day.release_the_group()
        assert [tube.tube for tube in day.tubes] == [first]
        assert len(day.rig.labels) == 1
        await day.residents(6, 7)
        await day.close_a_short_group()
        assert len(set((await day.labels(3))[1:])) == 1


async def test_tubes_with_barcodes_of_their_own_are_scanned_first_and_everything_else_is_refused(
    tmp_path: Path,
) -> None:
    policy = {"tube_source": "preprinted", "tube_pattern": "HS[0-9]{13}", "pool_size": 5, "group_size": 5}
    async with open_site(tmp_path, **policy) as day:
        assert await day.resident(1, None) == "tube"
        assert await day.only_a_code("HS000000000001") == "retry"  # a digit is missing
        assert await day.only_a_code(person(1).number) == "tube"
        assert await day.only_a_code("HC1:0:somebody-s-phone") == "tube"
        await taken(day, "HS0000000000001")
        await day.residents(*range(1, 6))
        await day.release_the_group()
        assert await day.only_a_code("HS0000000000001") == "tube"
        assert day.refused == ["no-tube", "bad-tube", "not-a-tube", "not-a-tube", "tube-seen"]
        assert [(tube.tube, tube.members) for tube in day.tubes] == [("HS0000000000001", 5)]
        assert day.rig.labels == []
