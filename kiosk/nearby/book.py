"""Who was registered where in this round, as far as the kiosks of the site have told each other. Only in RAM."""

from collections.abc import Sequence

from kiosk.nearby.talk import A_PAGE, DIGEST, MOST, Page, pages


class Own:
    """What this kiosk tells: pages of digests. ``changed``: the numbers of those that others do not have yet; one
    beyond the last is to be emptied."""

    def __init__(self) -> None:
        self.pages: list[bytes] = []
        self.changed: set[int] = set()

    @property
    def people(self) -> int:
        return max(0, len(self.pages) - 1) * A_PAGE + (len(self.pages[-1]) // DIGEST if self.pages else 0)

    def add(self, digest: bytes) -> None:
        """Somebody was registered."""
        if self.people >= MOST:
            return
        if self.people == len(self.pages) * A_PAGE:
            self.pages.append(b"")
        self.pages[-1] += digest
        self.changed.add(len(self.pages) - 1)

    def set(self, digests: Sequence[bytes]) -> None:
        """These and no others."""
        before, self.pages = len(self.pages), pages(digests)
        self.changed = set(range(max(before, len(self.pages))))

    def tell_all(self) -> None:
        """The broker may have forgotten everything."""
        self.changed |= set(range(len(self.pages)))


class Others:
    """What other kiosks have told."""

    def __init__(self) -> None:
        self._pages: dict[tuple[str, int], tuple[int, int, frozenset[bytes]]] = {}

    def put(self, who: str, page: Page, today: int) -> bool:
        """A page as it is now. Those of other days make room; False: there is none left. Raises FrameError."""
        people = page.people()
        self.drop(who, page.page)
        if self.people + len(people) > MOST:
            self._pages = {name: kept for name, kept in self._pages.items() if kept[1] == today}
        if self.people + len(people) > MOST:
            return False
        self._pages[who, page.page] = (page.kiosk, page.day, people)
        return True

    def drop(self, who: str, page: int) -> None:
        self._pages.pop((who, page), None)

    def forget(self) -> None:
        self._pages.clear()

    @property
    def people(self) -> int:
        return sum(len(people) for _, _, people in self._pages.values())

    def find(self, digest: bytes, today: int) -> int:
        """The number of the kiosk where this person was registered in the round that began on this day, or 0."""
        return next((kiosk for kiosk, day, people in self._pages.values() if day == today and digest in people), 0)
