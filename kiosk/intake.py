"""The border of personal data: what the drivers read is recognised, checked and sealed here, and only the sealed form
goes on. Names needed for a single tube's label stay in RAM until the label is printed."""

import contextlib
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import date, timedelta

import msgspec
from nacl.signing import VerifyKey

from kiosk import badges, commands, identity, mrz, paper_card, recognise
from kiosk.config import HealthCodeFormat
from kiosk.domain import Colour, DocumentKind, Field, Listed, Person, Reason, Stamp, Subject
from kiosk.events import (
    BadgePresented,
    CardFailed,
    CardMinted,
    CardPresented,
    CardRead,
    CodeFailed,
    CodePresented,
    CodeScanned,
    CommandArrived,
    ContactPresented,
    Event,
    NumberTyped,
    OrderScanned,
    TubeScanned,
    TubeTyped,
    Unusable,
    VerdictArrived,
)
from kiosk.frames import FrameError
from kiosk.own_tubes import OwnTubes
from kiosk.round_key import RoundKey
from kiosk.seal import NoKeyError, Sealer
from kiosk.tube import BadTubeNumber, TubeNumber
from kiosk.verdicts import Verdict

log = logging.getLogger(__name__)

LEAST_CODE = 4
"""Characters. What is shorter is no code of any system: a key struck by chance, or noise that happens to be text."""
NAMES_KEPT = 256
"""Names in RAM at most: more single tubes than that never wait for the printer."""


class Intake:
    """``admit`` turns a driver's event into what the flows may hear. ``post``: the command post's key, without which
    no command is known. ``listed``: what the roster says of a digest. ``drill``: what is written is one, where no
    command is obeyed (the journal proper counts them) and no tube but its own is known. ``tubes``: those that come with
    a barcode of their own; None where tubes are labelled here."""

    def __init__(
        self,
        formats: Sequence[HealthCodeFormat],
        site: str,
        sealer: Sealer,
        post: VerifyKey | None = None,
        round_key: RoundKey | None = None,
        listed: Callable[[bytes, Stamp], Listed | None] = lambda *_: None,
        answers: Callable[[], bool] = lambda: False,
        elsewhere: Callable[[bytes], int] = lambda _digest: 0,
        *,
        tubes: OwnTubes | None = None,
        drill: bool = False,
    ) -> None:
        self._formats = recognise.compile_formats(formats)
        self._site = site
        self._sealer = sealer
        self._post = post
        self._round_key = round_key
        self._listed = listed
        self._answers = answers
        self._elsewhere = elsewhere
        self._tubes = tubes
        self._drill = drill
        self._names: OrderedDict[bytes, str] = OrderedDict()

    def admit(self, event: Event, at: Stamp) -> Event:
        try:
            admitted = self._admit(event, at)
            if isinstance(admitted, CardPresented | CodePresented):
                who = (isinstance(admitted, CodePresented) and admitted.holder) or admitted.subject.digest
                admitted = msgspec.structs.replace(admitted, elsewhere=self._elsewhere(who))
            return admitted
        except NoKeyError:
            return Unusable(Reason.NO_BADGE)

    def use_key(self, name: bytes) -> None:
        """Digests are made with this key from now on; b"": with none."""
        if self._round_key is not None:
            self._round_key.use(name)

    def _admit(self, event: Event, at: Stamp) -> Event:
        match event:
            case CardRead():
                return self._card(event.person, at)
            case CodeScanned():
                return self._code(event.text, at)
            case NumberTyped():
                return self._typed(event.text, at)
            case CardFailed() | CodeFailed():
                log.debug("unreadable: %s", event.why)
                return Unusable(Reason.UNREADABLE)
        return event

    def command(self, envelope: bytes, via: str) -> CommandArrived:
        """An order of the command post. Raises FrameError for one that is not."""
        if self._post is None:
            raise FrameError("signature: no key to verify it with")
        if self._drill:
            raise FrameError("a drill is on: end it first")
        return commands.arrived(envelope, self._post, via)

    def verdict(self, code: bytes, verdict: Verdict) -> Event:
        """What the command post says of the code with this digest."""
        try:
            holder = self._sealer.digest(verdict.number) if verdict.number else None
        except NoKeyError:
            holder = None
        return VerdictArrived(code, verdict.colour, holder)

    def new_card(self) -> Event:
        """A new code card of paper."""
        text = paper_card.text(secrets.token_bytes(paper_card.TOKEN_BYTES))
        try:
            return CardMinted(self._paper(text), text)
        except NoKeyError:
            return Unusable(Reason.NO_BADGE)

    def prepare(self) -> None:
        """Does beforehand what the next person needs not wait for."""
        self._sealer.prepare()

    def name(self, digest: bytes) -> str | None:
        """The name for a single tube's label; None after a restart, when nobody here knows it any more."""
        return self._names.get(digest)

    def _card(self, person: Person, at: Stamp) -> Event:
        if (fault := identity.number_fault(person.document, identity.normalise(person.number))) is not None:
            log.info("card refused: %s", fault)
            return Unusable(Reason.BAD_NUMBER)
        return self._holder(person, at)

    def _holder(self, person: Person, at: Stamp, *, typed: bool = False) -> Event:
        subject, name = self._sealer.subject(person), person.name or person.latin_name
        if name:
            self._names[subject.digest] = name
            while len(self._names) > NAMES_KEPT:
                self._names.popitem(last=False)
        has = (Field.NAME, Field.NUMBER) if name else (Field.NUMBER,)
        listed = self._listed(subject.digest, at)
        return CardPresented(subject, person.document, _expired(person.valid_to, at), listed, typed, has)

    def _typed(self, text: str, at: Stamp) -> Event:
        """A volunteer has typed a document number of 18 characters, a mobile number, or that of a tube."""
        number = identity.normalise(text)
        with contextlib.suppress(BadTubeNumber):
            return TubeTyped(str(TubeNumber.parse(number)))
        if recognise.PHONE.fullmatch(number):
            return ContactPresented(self._sealer.code(number, None, "typed", phone=number))
        if recognise.is_id_number(number) and (kind := identity.kind_of(number)) is not None:
            return self._holder(Person(document=kind, number=number, name="", birth=number[6:14]), at, typed=True)
        log.info("typed: neither a document number with a right check digit nor a mobile number")
        return Unusable(Reason.BAD_NUMBER)

    def _passport(self, zone: str, at: Stamp) -> Event:
        try:
            return self._holder(mrz.parse(zone, _day(at)), at)
        except mrz.BadZoneError as error:
            log.info("passport refused: %s", error)
            return Unusable(Reason.BAD_NUMBER)

    def _paper(self, text: str) -> Subject:
        return self._sealer.code(text, None, "paper")

    def _own_tube(self, text: str) -> Event | None:
        """What the scan is where tubes come with a barcode of their own; None: no tube."""
        if self._tubes is None:
            return None
        found = recognise.recognise(text, self._site, self._formats)
        if isinstance(found, recognise.IdNumber):
            return Unusable(Reason.NOT_A_TUBE)
        if isinstance(found, recognise.StaffCommand | recognise.PaperCard):
            return None
        if self._tubes.match(text):
            return TubeScanned(text)
        nothing = isinstance(found, recognise.Unknown) and not self._tubes.is_near(text)
        if nothing or not isinstance(found, recognise.Unknown | recognise.TubeCode | recognise.BadTube):
            return None
        log.info("scanned: a barcode that is not one of the tubes here: a character is missing or wrong")
        return Unusable(Reason.BAD_TUBE)

    def _code(self, text: str, at: Stamp) -> Event:
        if (own := self._own_tube(text)) is not None:
            return own
        match recognise.recognise(text, self._site, self._formats):
            case recognise.HealthCode() as code:
                subject = self._sealer.code(text, code.ident, code.format, name=code.name, phone=code.phone)
                holder = subject.digest if code.ident else None
                answers = code.ask and self._answers()
                return CodePresented(subject, code.colour, holder, code.ask, answers, _fields(code))
            case recognise.RegistrationCode() as code:
                subject = self._sealer.code(text, code.ident, code.format, name=code.name, phone=code.phone)
                return ContactPresented(subject, subject.digest if code.ident else None, _fields(code))
            case recognise.PaperCard() as card:
                return CardPresented(self._paper(card.text), DocumentKind.PAPER, has=())
            case recognise.BadPaperCard():
                return Unusable(Reason.UNREADABLE)
            case recognise.Passport() as passport:
                return self._passport(passport.zone, at)
            case recognise.TubeCode() as tube if tube.number.drill is not self._drill:
                log.info("scanned: a tube number that is no use %s a drill", "in" if self._drill else "outside")
                return Unusable(Reason.NOT_NEEDED)
            case recognise.TubeCode() as tube:
                return TubeScanned(str(tube.number))
            case recognise.Unknown() if len(text) < LEAST_CODE:
                return Unusable(Reason.UNREADABLE)
            case recognise.Unknown():
                return CodePresented(self._sealer.code(text, None, "unknown"), Colour.UNKNOWN)
            case recognise.BadTube() as bad:
                log.info("scanned: a tube number that cannot be right: %s", bad.why)
                return Unusable(Reason.UNREADABLE)
            case recognise.StaffCommand() as scanned:
                return self._staff(scanned.payload)
            case other:
                log.info("scanned: %s, of no use here", type(other).__name__)
                return Unusable(Reason.NOT_NEEDED)

    def _staff(self, payload: str) -> Event:
        try:
            kind, data = commands.from_payload(payload)
            if kind == commands.COMMAND:
                return self.command(data, "code")
            if self._post is None:
                raise FrameError("signature: no key to verify it with")
            found = badges.unpack(kind, data, self._site, self._post)
        except FrameError as error:
            log.warning("scanned: a staff code that is not obeyed: %s", error)
            return Unusable(Reason.NOT_NEEDED)
        if isinstance(found, badges.CommandCode):
            return OrderScanned(found.do, found.text)
        key = b""
        if self._round_key is not None and isinstance(found.key, bytes):
            key = self._round_key.offer(found.key)
        return BadgePresented(found.badge, found.role, found.since, found.until, found.drills, key)


def _fields(code: recognise.HealthCode | recognise.RegistrationCode) -> tuple[Field, ...]:
    told = {Field.NAME: code.name, Field.NUMBER: code.ident, Field.PHONE: code.phone}
    return tuple(field for field, value in told.items() if value)


def _day(at: Stamp) -> date:
    return date(1970, 1, 1) + timedelta(days=at.day)


def _expired(valid_to: str, at: Stamp) -> bool:
    """``valid_to``: YYYYMMDD, or "" for 长期."""
    return bool(valid_to) and valid_to < _day(at).strftime("%Y%m%d")
