"""The folder a simulation leaves its files in. It touches only files that an earlier simulation made there."""

from pathlib import Path

_LIST = ".made-by-kiosk-simulate"


class OutFolder:
    """Makes the folder and removes what the last simulation left. Raises OSError in plain words."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._names: list[str] = []
        try:
            path.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise FileExistsError(f"{path} is no folder") from None
        self._list = path / _LIST
        for name in self._made_before():
            (path / name).unlink(missing_ok=True)
        self._write_list()

    def _made_before(self) -> list[str]:
        if self._list.is_symlink() or not self._list.is_file():
            return []
        names = self._list.read_text("utf-8").splitlines()
        return [name for name in names if name == Path(name).name and not (self.path / name).is_dir()]

    def place(self, name: str) -> Path:
        """Where a file of this name may be written. Raises FileExistsError when somebody else's is there."""
        place = self.path / name
        if name not in self._names:
            if place.exists() or place.is_symlink():
                raise FileExistsError(f"{place} was not made by a simulation and is not overwritten")
            self._names.append(name)
            self._write_list()
        return place

    def _write_list(self) -> None:
        self._list.write_text("".join(f"{name}\n" for name in self._names), "utf-8")
