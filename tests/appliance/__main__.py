"""`make image-test`: the finished image on an emulated Raspberry Pi 3. What has passed is not done again: a stamp in
the cache says so, under a hash of everything that only this test can prove. `--again` does it all the same."""

import argparse
import asyncio
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "image-build"))

import build  # noqa: E402
import debian  # noqa: E402
import stages  # noqa: E402

PROVES = (
    *("image-build", "systemd", "config/profiles", "requirements-kiosk.lock", "tests/appliance", "tests/support/vm.py"),
    *("kiosk/provision", "kiosk/update", "kiosk/partition.py", "kiosk/safe.py"),
)
PARTS = (("test_power_cuts.py",), ("test_first_label.py", "test_update.py", "test_damage.py"))
"""Side by side: one machine keeps about one processor busy."""


def key() -> str:
    return stages.fingerprint(*(ROOT / name for name in PROVES))


async def run(image: Path, folder: Path, words: list[str]) -> int:
    """Runs the parts, each in a pytest of its own, and prints what each said as it ends."""

    async def part(number: int, names: tuple[str, ...]) -> int:
        files = [str(Path(__file__).parent / name) for name in names]
        command = [sys.executable, "-m", "pytest", "-o", "addopts=-ra --strict-config --import-mode=importlib", "-v"]
        process = await asyncio.create_subprocess_exec(
            *command,
            *("--basetemp", str(folder / str(number)), *words, *files),
            cwd=ROOT,
            env=os.environ | {"KIOSK_IMAGE": str(image)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert process.stdout is not None
        async for line in process.stdout:
            print(f"{number} | {line.decode('utf-8', 'replace').rstrip()}", flush=True)
        return await process.wait()

    folder.mkdir(parents=True, exist_ok=True)
    ended = await asyncio.gather(*(part(number, names) for number, names in enumerate(PARTS, 1)))
    return max(0 if status == 5 and words else status for status in ended)  # 5: none of this part was asked for


def main() -> int:
    parser = argparse.ArgumentParser("python -m tests.appliance", description=__doc__)
    parser.add_argument("--again", action="store_true", help="also when it has passed before")
    parser.add_argument("words", nargs="*", help="arguments for pytest, such as -k update, after --")
    options = parser.parse_args()
    stamp = debian.cache_folder() / "image-test" / key()
    if stamp.exists() and not options.again and not options.words:
        print(f"image-test: passed before, {stamp.read_text().strip()}; `make image-test ARGS=--again` does it anew")
        return 0
    image = build.Build(ROOT / "build", None).run()
    began = time.monotonic()
    status = asyncio.run(run(image, ROOT / "build/image-test", options.words))
    if status == 0 and not options.words:
        stamp.parent.mkdir(exist_ok=True)
        stamp.write_text(time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()) + f", {time.monotonic() - began:.0f} s\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
