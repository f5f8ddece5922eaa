"""What of reports and supplies calls for somebody (rules D1, F18, Q16). Pure."""

from kiosk.domain import Stamp
from kiosk.site import Site

NAMES = {
    "labels": "标签 labels",
    "1": "单采管 single tubes",
    "5": "5混管 tubes of 5",
    "10": "10混管 tubes of 10",
    "20": "20混管 tubes of 20",
    "household": "一户一管 household tubes",
    "nasal": "鼻咽管 nasal tubes",
}


def issues(site: Site, at: Stamp, unsent_ms: int, warn_min: int) -> dict[str, str]:
    """Code to hint. ``unsent_ms``: age of the oldest fact that the command post has not acknowledged."""
    found: dict[str, str] = {}
    if site.reporting.is_late(at, unsent_ms):
        found["report-late"] = (
            "the day is over and its figures have not reached the command post: restore the network, or hand over "
            "what `kiosk report --xlsx FILE` writes"
        )
    if low := site.stock.low(at, warn_min):
        what = ", ".join(f"{left} {NAMES[item]}" for item, left in low.items())
        found["stock-low"] = f"{what} left: call for supplies, then show the code that says how many are there"
    return found
