"""Where the files of a definition are: in folders, or at the URLs of object storages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.client.opening import Opener, content_at, is_url

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Places:
    """Relative names are looked for in ``folders``, one after the other.

    With a ``base``, the URL of a folder, they are taken to be in that and nowhere else. ``opener`` returns
    what is at a URL.
    """

    folders: tuple[Path, ...]
    opener: Opener | None = None
    base: str | None = None

    def find(self, name: str, field: str, remedy: str, faults: list[Fault]) -> str | None:
        """Return the path of a file that is there, or its URL; None and a fault if there is none."""
        if is_url(name):
            return name.strip()
        path = Path(name)
        if self.base and not path.is_absolute():
            return f"{self.base}/{name.removeprefix('./')}"
        searched: Sequence[Path] = [path.parent] if path.is_absolute() else list(dict.fromkeys(self.folders))
        for folder in searched:
            if (folder / path).is_file():
                return str(folder / path)
        looked = ", ".join(map(str, searched))
        faults.append(Fault(field, f"there is no file {name!r} in {looked}", remedy))
        return None

    def text(self, place: str | None, field: str, remedy: str, faults: list[Fault]) -> str | None:
        """Return the text of a file that was found; None and a fault if there is none."""
        if place is None:
            return None
        try:
            content = (
                content_at(place, self.opener, field, remedy) if is_url(place) else Path(place).read_bytes()
            )
            return content.decode()
        except DefinitionError as error:
            faults += error.faults
        except UnicodeDecodeError:
            faults.append(Fault(field, f"{place} is not a text", "Save it as UTF-8"))
        return None

    def beside(self, place: str) -> Places:
        """Return the places of what is named relative to a file that was found."""
        if is_url(place):
            return replace(self, base=place.rpartition("/")[0])
        return replace(self, folders=(Path(place).parent, *self.folders))
