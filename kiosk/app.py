"""The composition root: the only file that knows every room."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from kiosk import (
    __version__,
    control,
    devices,
    enrolment,
    health,
    issue_folder,
    on_duty,
    requests,
    round_key,
    seal,
    tube_clocks,
    voice,
)
from kiosk.clock import SystemClock
from kiosk.config import Config
from kiosk.counter import Counter
from kiosk.events import (
    ButtonPressed,
    CardFailed,
    CardRead,
    CodeFailed,
    CodeScanned,
    Event,
    NumberClaimed,
    NumberTyped,
    Tick,
)
from kiosk.facts import Fact, IncidentRaised
from kiosk.flows.release import group_size, proposed_group
from kiosk.frames import FrameError
from kiosk.hands import Hands
from kiosk.intake import Intake
from kiosk.introduction import Introduction
from kiosk.journal import StorageFault
from kiosk.machine import Machine
from kiosk.nearby import Nearby
from kiosk.neighbours import Doubles, Neighbours
from kiosk.notify import Notifier
from kiosk.overview import Surroundings, heard, told, view
from kiosk.own_tubes import OwnTubes
from kiosk.panel import Panel, show
from kiosk.provision import reasons
from kiosk.provision.apply import REQUEST
from kiosk.provision.shown import Shown
from kiosk.records import Records, locked, open_records
from kiosk.reports import due
from kiosk.roster.clerk import Clerk
from kiosk.roster.shelf import Shelf
from kiosk.runner import Runner
from kiosk.update.attempt import Places
from kiosk.uplink import Uplink

log = logging.getLogger(__name__)

TICK_S = 0.1
HEALTH_S = 1.0
"""The machine is looked at this often; the status file follows every change at the next tick."""


_BY_PEOPLE = (CardRead, CardFailed, CodeScanned, CodeFailed, NumberTyped, ButtonPressed)
"""What the kiosk does not hear while its program is on trial."""


class Kiosk:
    """One running kiosk. Make it with `open`."""

    def __init__(self, config: Config, records: Records) -> None:
        self._config = config
        self._records = records
        self._closing = contextlib.AsyncExitStack()
        self._journal = journal = records.journal
        self._drill = bool(records.site.setup.drill)
        self._clock = SystemClock()
        data_dir, runtime_dir = config.kiosk.data_dir, config.kiosk.runtime_dir
        public = seal.PublicKeys.parse(config.seal.public_key)
        sealer, self._round_key = round_key.open_sealer(config, records.site.staff.key, keep=not self._drill)
        device = seal.device_key(data_dir / "device.key")
        formats, site_code = config.health_code_formats, config.site.code
        signers, every = (public.verify, device.verify_key), config.policy.every_days
        shelf = Shelf(data_dir, site_code, signers, lambda: sealer.key_name, every)
        shelf.load()
        self._roster = Clerk(shelf, site_code, self._clock, sealer, public.seal, device)
        self._intake = Intake(
            *(formats, site_code, sealer, public.verify, self._round_key, shelf.listed),
            answers=lambda: self._uplink is not None and self._uplink.answers,
            elsewhere=lambda digest: self._nearby.elsewhere(digest) if self._nearby is not None else 0,
            tubes=OwnTubes(config.policy.tube_pattern) if config.policy.tube_source == "preprinted" else None,
            drill=self._drill,
        )
        self._issues = health.Issues()
        self._machine = Machine(data_dir)
        self._look = self._machine.look()
        self._told: dict[str, str] = {}
        self._tubes = tube_clocks.Tubes()
        self._status = health.StatusFile(config.kiosk.runtime_dir / health.STATUS_NAME)
        self._notifier = Notifier()
        self._panel = devices.panel(config.devices.panel, self._post)
        self._printer = devices.printer(config.devices.printer, self._post)
        card, code = devices.card(config.devices.card, self._post), devices.code(config.devices.code, self._post)
        keypad = devices.keypad(config.devices.keypad, self._post)
        self._speaker = devices.speaker(config.devices.speaker, config.voice, self._post)
        drivers = (card, code, keypad, self._printer, self._panel, self._speaker)
        self._drivers = [driver for driver in drivers if driver is not None]
        self._around = Surroundings(devices={driver.name: False for driver in self._drivers})
        self._oldest_unacked_ms = 0
        self._trial = Places(run=runtime_dir.parent).trial
        self._on_trial = self._trial.exists()
        self._counts = asyncio.Event()
        if not records.on_trial:
            self._counts.set()
        self._proof = enrolment.proof(config.seal.token, device.verify_key)
        self._shown = Shown(public.verify)
        self._stop = asyncio.Event()
        self._ended = False
        self._introduction = Introduction(config, device, records.proper or journal, self._printer)
        number = config.kiosk.number
        self._doubles = Doubles(site_code, number, bytes(device.verify_key))
        self._nearby = self._open_nearby(bytes(device.verify_key), sealer)
        self._neighbours: Neighbours | None = None
        if config.kiosk.beacon:
            self._neighbours = Neighbours(site_code, number, device, self._clock.now().boot, self._doubles)
        self._uplink: Uplink | None = None
        self._uplinks: list[Uplink] = []
        if config.mqtt is not None:
            self._uplinks = [
                Uplink(
                    config.mqtt,
                    site_code,
                    number,
                    each,
                    device,
                    public,
                    self._describe,
                    command=self._command,
                    double=lambda key: self._doubles.heard(key, "from the broker"),
                    roster=self._roster.hear,
                    verdict=lambda code, verdict: self._runner.post(self._intake.verdict(code, verdict)),
                    drill=self._drill and each is journal,
                )
                for each in (journal, records.proper)
                if each is not None
            ]
            self._uplink = self._uplinks[0]
        self._hands = Hands(
            config, self._clock, self._intake, device, self._printer, self._uplink, self._post, drill=self._drill
        )
        self._runner = Runner(records.site, journal, self._clock, self._intake, self._hands.carry_out, self._changed)
        self._heard = heard(records.site)
        self._counter = Counter(
            config, self._runner, self._intake, self._introduction, self._printer, self._printer_trouble, self._roster
        )

    def _open_nearby(self, key: bytes, sealer: seal.Sealer) -> Nearby | None:
        """Digests are the same at two kiosks only where one key is brought to both; what is practised concerns none."""
        config = self._config
        if config.neighbours is None or config.seal.digest_key == "ram" or self._drill:
            return None
        nearby = Nearby(
            config.neighbours,
            config.site.code,
            config.kiosk.number,
            key,
            sealer,
            claimed=lambda taken: self._runner.post(NumberClaimed(taken)),
            double=lambda other: self._doubles.heard(other, "over the site's broker"),
        )
        nearby.learned(self._records.site, ())
        return nearby

    @classmethod
    async def open(cls, config: Config) -> "Kiosk":
        """Opens the journal and folds it. Raises AlreadyRunningError, JournalTooNewError, StorageFault and any other
        OSError, SealError."""
        config.kiosk.data_dir.mkdir(parents=True, exist_ok=True)
        config.kiosk.runtime_dir.mkdir(parents=True, exist_ok=True)
        async with contextlib.AsyncExitStack() as closing:
            closing.callback(os.close, locked(config.kiosk.data_dir))
            trial = Places(run=config.kiosk.runtime_dir.parent).trial.exists()
            kiosk = cls(config, await open_records(config, closing, trial=trial))
            kiosk._closing = closing.pop_all()
        return kiosk

    async def run(self) -> bool:
        """Works until SIGTERM or SIGINT, until root has made another configuration, or until a drill begins or ends;
        leaves everything in order. Whether it is to be opened again."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(work) for work in self._work()]
                await self._stop.wait()
                if self._ended:
                    self._notifier.stopping()
                for task in tasks:
                    task.cancel()
        finally:
            await self._closing.aclose()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
        return not self._ended

    def _end(self) -> None:
        self._ended = True
        self._stop.set()

    def _work(self) -> list[Any]:
        work = [
            self._runner.run(__version__, self._journal.kept, self._records.drilled),
            self._tick(),
            self._watch_machine(),
        ]
        work += [driver.run() for driver in self._drivers]
        work.append(control.serve(self._config.kiosk.runtime_dir / control.NAME, self._counter.answer))
        work.append(self._notifier.heartbeat(self._alive))
        work.append(self._introduce())
        if self._neighbours is not None:
            work.append(self._neighbours.run())
        if self._nearby is not None:
            work.append(self._nearby.run())
        work += [self._ship(uplink) for uplink in self._uplinks]
        return work

    # What comes in ------------------------------------------------------------------------------------------------

    def _post(self, event: Event) -> None:
        self._around = self._around.after(event, health.desk_faults(self._issues.now))
        self._introduction.heard(event)
        if not (self._on_trial and isinstance(event, _BY_PEOPLE)):
            self._runner.post(self._shown.hear(event))

    def _command(self, envelope: bytes, via: str = "uplink") -> None:
        try:
            self._runner.post(self._intake.command(envelope, via))
        except FrameError as error:
            log.warning("a command by %s is not obeyed: %s", via, error)

    async def _tick(self) -> None:
        while True:
            self._runner.post(Tick(self._roster.covered))
            self._refresh()
            await asyncio.sleep(TICK_S)

    async def _watch_machine(self) -> None:
        await self._runner.answer()
        self._notifier.ready()
        while True:
            self._look = self._machine.look()
            told = issue_folder.read(self._config.kiosk.runtime_dir.parent / issue_folder.NAME)
            self._told = issue_folder.remembered(told, self._config.kiosk.data_dir)
            self._look_at_trial()
            self._hear_answers()
            self._tubes = tube_clocks.look(self._runner.site, self._clock.now())
            await self._roster.look(self._runner.site.registration)
            if self._hands.provisioned_anew and not (self._config.kiosk.runtime_dir / REQUEST).exists():
                log.info("root has taken the provisioning: the service manager starts this kiosk again")
                self._end()
            if self._uplink is not None:
                with contextlib.suppress(StorageFault):
                    self._oldest_unacked_ms = await self._uplink.oldest_ms()
            await asyncio.sleep(HEALTH_S)

    def _hear_answers(self) -> None:
        """What root's programs say of the commands that have not ended."""
        last = self._runner.site.commands.last
        for answer in requests.answers(self._config.kiosk.runtime_dir):
            kept = last.get(answer.to)
            if kept is not None and (kept.n, kept.outcome) == (answer.n, "accepted"):
                self._runner.post(answer)

    def _look_at_trial(self) -> None:
        on_trial = self._trial.exists()
        if self._on_trial and not on_trial:
            try:
                self._records.take_over()
            except OSError as error:
                log.error("on trial still, the records cannot be taken over: %s", error)
                return
            self._counts.set()
        self._on_trial = on_trial

    async def _ship(self, uplink: Uplink) -> None:
        """What a program on trial wrote into a copy stays here: the one it may be given up for gives these numbers to
        other facts."""
        await self._counts.wait()
        await uplink.run()

    async def _introduce(self) -> None:
        await self._runner.answer()
        runtime, hardware = self._config.kiosk.runtime_dir, self._config.devices
        if why := reasons.refusal(runtime.parent):
            reasons.print_once(runtime, self._printer, hardware, reasons.TITLE, (why, *reasons.AGAIN))
        await self._introduction.run()

    async def _alive(self) -> None:
        """Returns only when runner and journal answered."""
        await self._runner.answer()
        await self._journal.mark("heartbeat")

    def _printer_trouble(self) -> str:
        online = self._printer is None or self._around.devices[self._printer.name]
        return "" if online else self._around.printer_needs or "no answer"

    # What goes out ------------------------------------------------------------------------------------------------

    def _speak(self, facts: Sequence[Fact]) -> None:
        site = self._runner.site
        before, self._heard = self._heard, heard(site)
        if self._speaker is not None and not site.visits.on:
            for prompt in voice.prompts(before, self._heard, told(site), facts, drill=bool(site.setup.drill)):
                self._speaker.say(prompt)

    def _changed(self, facts: Sequence[Fact]) -> None:
        if self._runner.ready and self._runner.site.away:
            log.info("a drill begins or ends: the kiosk is opened again")
            self._stop.set()
        self._around = self._around.learned(facts)
        self._speak(facts)
        if facts and self._nearby is not None:
            self._nearby.learned(self._runner.site, facts)
        if facts:
            self._show()
            asyncio.get_running_loop().call_soon(self._refresh)
        if facts and self._uplink is not None:
            first = self._journal.head - len(facts) + 1
            incidents = [first + place for place, fact in enumerate(facts) if isinstance(fact, IncidentRaised)]
            for incident in incidents:
                self._uplink.wake(incident)
            self._uplink.wake()

    def _refresh(self) -> None:
        at = self._clock.now()
        runner, site, uplink = self._runner, self._runner.site, self._uplink
        link: Literal["off", "online", "offline"] = "off"
        if uplink is not None:
            link = "online" if uplink.connected else "offline"
        duty = {"shifts": on_duty.long(site, at), "supervised": on_duty.supervised(site, at)}
        self._around = msgspec.structs.replace(self._around, **duty)
        keyless = self._round_key is not None and self._round_key.missing
        on_duty_issues = on_duty.issues(site, at, key_missing=keyless)
        vitals = health.Vitals(
            ready=runner.ready and not runner.storage_fault and not self._on_trial,
            drill=site.setup.drill,
            visit=site.visits.on,
            people=site.registration.people,
            members=site.release.open.people,
            group_size=group_size(site),
            waiting=site.release.waiting,
            waiting_cap=site.setup.queue.waiting_cap,
            door_closed=site.release.is_full(site.setup.queue.waiting_cap),
            wait_limit_s=site.setup.queue.oldest_wait_min * 60,
            pace=site.release.pace.per_hour(at),
            proposed_group=proposed_group(site, at),
            oldest_wait_s=at.since(site.release.oldest) // 1000 if site.release.oldest is not None else 0,
            tubes_closed=site.pooling.closed,
            unlabelled=len(site.labelling.wanted),
            groups_released=site.release.released,
            journal_seq=self._journal.head,
            journal_acked=uplink.acked if uplink is not None else 0,
            devices=self._around.devices,
            printer_needs=self._around.printer_needs,
            panel_fault=self._panel.fault if self._panel is not None else "",
            uplink=link,
            uplink_issue=(uplink.refusal or "") if uplink is not None else "",
            oldest_unacked_ms=self._oldest_unacked_ms,
            storage_fault=runner.storage_fault,
            set_aside=", ".join(path.name for path in self._journal.set_aside),
            digest_key_in_file=self._config.seal.digest_key == "file",
            trust=at.trust,
            clock_step_ms=self._around.clock_step_ms,
            disk_free=self._look.disk_free,
            written=self._look.written,
            roster=self._roster.progress,
            machine=self._look.issues
            | self._told
            | tube_clocks.issues(self._tubes, self._config.custody)
            | self._records.issues
            | self._doubles.issues()
            | self._roster.issues
            | on_duty_issues
            | due.issues(site, at, self._oldest_unacked_ms, self._config.stock.warn_min),
            shift=on_duty.status(site, at),
            custody=tube_clocks.status(self._tubes),
        )
        issues = self._issues.update(health.check(vitals), at.wall)
        self._status.write(health.status(vitals, issues))
        self._show()

    def _show(self) -> None:
        if self._panel is not None:
            self._panel.show(self._picture(now := self._clock.mono()), now)

    def _picture(self, now: int) -> Panel:
        runner = self._runner
        ready = runner.ready and not self._on_trial
        return show(view(runner.site, self._issues.now, self._around, runner.storage_fault, ready=ready), now)

    def _describe(self) -> dict[str, Any]:
        return {
            "trust": self._clock.now().trust,
            "version": __version__,
            "issues": [issue.code for issue in self._issues.now],
            "proof": self._proof,
            "roster": self._roster.made,
        }
