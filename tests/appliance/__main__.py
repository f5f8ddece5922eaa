"""`make image-test`: the finished image on an emulated Raspberry Pi 3. A story that has passed is not told again as
long as everything that only these stories can prove is what it was: PASSED has its hash beside each story's name.
`--again` tells them all."""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

ROOT, HERE = Path(__file__).parents[2], Path(__file__).parent
sys.path.insert(0, str(ROOT / "image-build"))

import build  # noqa: E402
import stages  # noqa: E402

PROVES = (
    *("image-build", "systemd", "config/profiles/standard.toml", "requirements-kiosk.lock"),
    *("kiosk/provision", "kiosk/update", "kiosk/partition.py", "kiosk/safe.py"),
    *(f"tests/appliance/{name}.py" for name in ("board", "card", "conftest", "site")),
    "tests/support/vm.py",
)
"""What all stories rest on; each has its own file besides."""
PASSED = ROOT / "tests/appliance.passed"
"""A line for each story: its name, the hash of what it was told of, when and how long."""
STORIES = ("test_power_cuts.py", "test_first_label.py", "test_update.py", "test_damage.py")
"""The longest first."""
AT_ONCE = 2
"""An emulated board keeps one processor busy: its own four take turns, which is faster than waiting for each other."""


def key(story: str) -> str:
    """The hash of everything that this story proves, and of the story."""
    return stages.fingerprint(story, HERE / story, *(ROOT / name for name in PROVES))


def passed() -> dict[str, list[str]]:
    """Story to hash and note, of those that have passed with something."""
    lines = PASSED.read_text("utf-8").splitlines() if PASSED.exists() else []
    return {story: rest for story, *rest in (line.split(maxsplit=2) for line in lines)}


def note(story: str, began: float) -> None:
    """Writes down that a story has passed with what is there now."""
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    told = passed() | {story: [key(story), f"{when}, {time.monotonic() - began:.0f} s"]}
    PASSED.write_text("".join(f"{each} {' '.join(told[each])}\n" for each in STORIES if each in told), "utf-8")


async def tell(story: str, image: Path, folder: Path) -> bool:
    """One story in a pytest of its own, its words in front of each line. Whether it passed."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-v", "-s", "-o", "addopts=-ra --strict-config --import-mode=importlib"),
        *("--basetemp", str(folder / Path(story).stem), str(HERE / story)),
        cwd=ROOT,
        env=os.environ | {"KIOSK_IMAGE": str(image)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    async for line in process.stdout:
        print(f"{Path(story).stem} | {line.decode('utf-8', 'replace').rstrip()}", flush=True)
    if await process.wait() != 0:
        return False
    note(story, began)
    return True


async def tell_all(stories: list[str], image: Path, folder: Path) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    places = asyncio.Semaphore(AT_ONCE)

    async def one(story: str) -> bool:
        async with places:
            return await tell(story, image, folder)

    return all(await asyncio.gather(*map(one, stories)))


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.appliance", description=__doc__)
    parser.add_argument("--again", action="store_true", help="also stories that have passed before")
    parser.add_argument("--due", action="store_true", help="only say whether there is anything to do: exit status 1")
    parser.add_argument("stories", nargs="*", help=f"of {', '.join(STORIES)}; default all")
    options = parser.parse_args()
    wanted = []
    for story in options.stories or STORIES:
        before = passed().get(story, [""])
        if before[0] == key(story) and not options.again:
            print(f"{story}: passed before, {before[1]}")
        else:
            wanted.append(story)
    if options.due or not wanted:
        return 1 if wanted else 0
    image = build.Build(ROOT / "build", None).run()
    return 0 if asyncio.run(tell_all(wanted, image, ROOT / "build/image-test")) else 1


if __name__ == "__main__":
    sys.exit(main())
