"""Which attributes of an item are answered: the ``fields`` of a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_DEFAULTS = ("id", "type", "geometry", "bbox", "links", "assets", "properties.datetime")


@dataclass(frozen=True)
class Fields:
    """Attributes by their paths, such as ``properties.eo:cloud_cover``; all of them unless ``given``."""

    given: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def chosen(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return the item with the attributes asked for, by the documented rules."""
        if not self.given:
            return item
        both = self.include and self.exclude
        included = self.include if both else (*_DEFAULTS, *self.include)
        chosen: dict[str, Any] = {}
        for key, value in item.items():
            if key in self.exclude:
                continue
            if key in included and key != "properties":
                chosen[key] = value
            elif key == "properties":
                whole = key in included
                inner = {
                    name: inside
                    for name, inside in value.items()
                    if (whole or f"{key}.{name}" in included) and f"{key}.{name}" not in self.exclude
                }
                if inner:
                    chosen[key] = inner
        return chosen
