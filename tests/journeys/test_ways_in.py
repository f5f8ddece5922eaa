"""Verdicts of the command post, and ways in for those without a phone or a card, at a kiosk that works."""

import asyncio
import signal
from pathlib import Path

import pytest

from hub.cli import main as hub_command
from kiosk.domain import Colour, Do, DocumentKind, Field, Role
from kiosk.facts import ContactGiven, IncidentRaised, Registered, VerdictAsked, VerdictTaken, Withdrawn
from kiosk.people import person
from kiosk.simulate.rig import WAITING
from tests.support.post import Client
from tests.support.site_day import SiteDay, open_site, read_barcode, until
from tests.support.staff_desk import badge, command_code


async def known(day: SiteDay, *rows: str) -> None:
    """The command post takes in what is known of these codes."""
    table = day.rig.folder / "codes.csv"
    table.write_text("\n".join(("code,colour,number", *rows)), "utf-8")
    where = ("--db", str(day.rig.hub_db), "--private-key", str(day.rig.keys / "private.key"))
    assert await asyncio.to_thread(hub_command, ["verdicts", *where, str(table)]) == 0


async def typed(day: SiteDay, number: str) -> str:
    """A volunteer types on the keypad; the answer."""
    panel = day.rig.panel
    since, before = len(panel.history), panel.state.signal if panel.state else 0
    assert day.rig.keypad is not None
    await day.rig.keypad.type(number)
    answer = await panel.wait_for(lambda now: now.signal != before and now.buzzer not in WAITING, since=since)
    return answer.buzzer


async def test_the_command_post_says_what_colour_a_code_has_and_whose_it_is(tmp_path: Path) -> None:
    async with open_site(tmp_path / "kiosk", line=True, verdict_s=20.0, unknown_code="refuse") as day:
        await day.all_is_at_the_command_post()
        await known(
            day,
            f"HC3:one,green,{person(1).number}",
            f"HC3:two,red,{person(2).number}",
            f"HC3:three,green,{person(9).number}",
        )
        assert await day.resident(1, "HC3:one") == "accepted"
        assert await day.resident(2, "HC3:two") == "refused"
        await day.lamp("alarm", "blink")
        assert await day.resident(3, "HC3:three") == "refused"
        assert await day.resident(4, "HC3:nobody") == "refused"
        assert day.refused == ["red", "mismatch", "unknown-code"]
        assert day.incidents == ["red"]
        report = await day.all_is_at_the_command_post()
        assert (report.people, report.incidents) == (1, 1)
    log = (tmp_path / "kiosk" / "kiosk.log").read_text("utf-8") + (tmp_path / "kiosk" / "hub.log").read_text("utf-8")
    for secret in ("HC3:two", person(2).number):
        assert secret not in log


@pytest.mark.parametrize(("verdict_s", "people"), [(20.0, 0), (0.5, 1)], ids=["still at the desk", "registered"])
async def test_a_code_asked_about_before_a_kill_is_asked_about_after_it(
    tmp_path: Path, verdict_s: float, people: int
) -> None:
    async with open_site(tmp_path / "kiosk", line=True, verdict_s=verdict_s) as day:
        await day.all_is_at_the_command_post()
        assert day.rig.hub is not None
        day.rig.hub.send_signal(signal.SIGSTOP)
        async with day.rig.presented(person(1), "HC3:late") as answer:
            await until(lambda: day.told(VerdictAsked), "it is asked")
            if people:
                assert (await answer).buzzer == "flagged"
            await day.rig.kill()
        await day.rig.stop_hub(signal.SIGKILL)
        assert (day.people, day.told(VerdictTaken), day.incidents) == (people, [], [])
        for file in (path for path in (tmp_path / "kiosk" / "data").rglob("*") if path.is_file()):
            assert b"HC3:late" not in file.read_bytes()

        await known(day, f"HC3:late,red,{person(1).number}")
        await day.rig.start_hub()
        await day.rig.start()
        await day.lamp("alarm", "blink")
        assert day.incidents == ["red"]
        assert [(fact.colour, fact.person) for fact in day.told(VerdictTaken)] == [(Colour.RED, people)]
        assert [(fact.person, fact.late) for fact in day.told(Withdrawn)] == [(1, True)] * people
        assert (await day.all_is_at_the_command_post()).incidents == 1


async def test_an_incident_that_waited_at_a_kill_goes_up_first_after_the_restart(tmp_path: Path) -> None:
    async with open_site(tmp_path / "kiosk", line=True) as day:
        await day.rig.stop_hub()
        await day.residents(1)
        assert await day.resident(2, "red") == "refused"
        await day.residents(3)
        await day.rig.kill()
        client = Client(day.rig.config.mqtt.port, "kiosk/v1/+/+/incident", "kiosk/v1/+/+/facts")
        await asyncio.to_thread(client.__enter__)
        try:
            await day.rig.start()
            await until(lambda: len(client.heard) >= 2, "incident and facts")
        finally:
            await asyncio.to_thread(client.__exit__)
        leaves = [topic.rpartition("/")[2] for topic, _ in client.heard]
        assert leaves[:2] == ["incident", "facts"]
        await day.lamp("alarm", "blink")
        await day.rig.start_hub()
        assert (await day.all_is_at_the_command_post()).incidents == len(day.told(IncidentRaised)) == 1


async def test_without_card_and_phone(tmp_path: Path) -> None:
    folder = tmp_path / "kiosk"
    keypad = {"devices.keypad": {"driver": "hid", "device": str(folder / "keypad")}}
    async with open_site(folder, keypad, health_code="off", require_phone=True, round="manual") as day:
        number, phone = person(1).number, "13800138000"
        assert await typed(day, number) == "denied"
        assert await day.only_a_code(badge(day.rig, Role.REGISTRAR)) == "acknowledged"
        assert await typed(day, number[:-1]) == "retry"
        assert await typed(day, number) == "flagged"
        assert await typed(day, phone) == "acknowledged"
        assert [fact.has for fact in day.told(ContactGiven)] == [(Field.PHONE,)]
        assert await day.resident(1, code=None) == "repeat"

        assert await day.only_a_code(badge(day.rig, Role.REGISTRAR)) == "acknowledged"
        assert await day.only_a_code(command_code(day.rig, Do.PAPER_CARD)) == "acknowledged"
        await until(lambda: day.rig.labels, "the code card is printed")
        card = read_barcode(day.rig.labels[-1])
        assert await day.technician("round", "new") == 0
        since = len(day.rig.panel.history)
        await day.rig.scanner.scan(f"HC4:{number}:{phone}")
        await day.rig.panel.wait_for(lambda now: now.buzzer == "held", since=since)
        assert await day.only_a_code(card) == "accepted"
        first, again = day.told(Registered)
        assert (first.source, first.by, again.source) == ("typed", 7, "paper")
        assert first.subject.digest == again.subject.digest
        assert again.missing == (Field.NAME,)
    log = (folder / "kiosk.log").read_text("utf-8")
    for secret in (number, phone, card):
        assert secret not in log


async def test_a_passport_whose_lines_the_scanner_sends_one_by_one(tmp_path: Path) -> None:
    first, second = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"
    async with open_site(tmp_path / "kiosk") as day:
        await day.rig.scanner.scan(first)
        assert await day.only_a_code(second) == "accepted"
        assert [(fact.document, fact.source) for fact in day.told(Registered)] == [(DocumentKind.PASSPORT, "card")]
        await day.rig.scanner.scan(first)
        assert await day.only_a_code("foreign") == "retry"
        assert await day.only_a_code(second) == "retry"
        assert day.people == 1
    log = (tmp_path / "kiosk" / "kiosk.log").read_text("utf-8")
    for secret in ("ERIKSSON", "L898902", "740812"):
        assert secret not in log
