"""A price with its uncertainty: low, likely and high, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from airflow_provider_sentinelhub.client.price.table import markdown, plain, rows

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.client.price.formula import Terms

Stage = Literal["before creation", "after the analysis"]
Level = Literal["low", "likely", "high"]

_SIZES = 1000  # kept apart; more are put together, so that memory does not grow with the features


class Range(NamedTuple):
    """The least, the expected and the most."""

    low: float
    likely: float
    high: float

    def each(self, factor: float) -> Range:
        """Return it multiplied."""
        return Range(self.low * factor, self.likely * factor, self.high * factor)

    def plus(self, other: Range) -> Range:
        """Return the sum."""
        return Range(self.low + other.low, self.likely + other.likely, self.high + other.high)


NOTHING = Range(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Tiles:
    """The tiles, or features, of one size: pixels with buffers; None for various sizes put together.

    ``samples`` is the mean number of data samples per pixel, ``pu`` what all of them cost.
    """

    width: int | None
    height: int | None
    count: int
    pixels: int
    samples: Range
    pu: Range


@dataclass(frozen=True)
class Estimate:
    """What a batch request costs, in processing units (PU).

    ``tiles`` are the dearest sizes first. ``assumptions`` are what was taken for granted, in words.
    """

    terms: Terms
    tiles: tuple[Tiles, ...]
    assumptions: tuple[str, ...]
    stage: Stage

    @property
    def count(self) -> int:
        """How many tiles there are."""
        return sum(tiles.count for tiles in self.tiles)

    @property
    def pixels(self) -> int:
        """How many pixels all tiles have, buffers included."""
        return sum(tiles.pixels for tiles in self.tiles)

    @property
    def samples(self) -> Range:
        """Data samples per pixel, the mean of all tiles."""
        return _mean([tiles.samples.each(tiles.pixels) for tiles in self.tiles], self.pixels)

    @property
    def before_minimum(self) -> Range:
        """The sum of all tiles, which may be less than a request costs at least."""
        return Range(*(math.fsum(values) for values in zip(*(tiles.pu for tiles in self.tiles), strict=True)))

    @property
    def pu(self) -> Range:
        """What will be billed."""
        return Range(*map(self.terms.billed, self.before_minimum))

    def table(self, form: Literal["plain", "markdown"] = "plain") -> str:
        """Return the price term by term, for a person: plain text in columns, or Markdown."""
        return (markdown if form == "markdown" else plain)(rows(self), self.assumptions)

    def to_dict(self) -> dict[str, Any]:
        """Return it as XCom can hold it."""
        return {
            "stage": self.stage,
            "pu": _rounded(self.pu),
            "before_minimum": _rounded(self.before_minimum),
            "tiles": self.count,
            "pixels": self.pixels,
            "samples": _rounded(self.samples),
            "terms": {
                "bands": self.terms.bands,
                "format": self.terms.format,
                "fusion": self.terms.fusion,
                "sentinel1": self.terms.sentinel1,
                "api": self.terms.api.name,
                "minimum": self.terms.api.minimum,
            },
            "assumptions": list(self.assumptions),
        }


class Tally:
    """The sum over tiles, added up by size."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._sizes: dict[tuple[int, int] | None, tuple[int, int, Range, Range]] = {}

    def add(self, width: int, height: int, count: int, samples: Range) -> None:
        """Add ``count`` tiles of a size; ``samples`` are the sums over all of them."""
        key = (width, height)
        known = key in self._sizes or len(self._sizes) < _SIZES
        before = self._sizes.get(key if known else None, (0, 0, NOTHING, NOTHING))
        self._sizes[key if known else None] = (
            before[0] + count,
            before[1] + count * width * height,
            before[2].plus(samples.each(width * height)),
            before[3].plus(samples.each(self._terms.units(width, height))),
        )

    def estimate(self, assumptions: tuple[str, ...], stage: Stage) -> Estimate:
        """Return the whole."""
        tiles = [
            Tiles(size and size[0], size and size[1], count, pixels, _mean([weighted], pixels), pu)
            for size, (count, pixels, weighted, pu) in self._sizes.items()
        ]
        tiles.sort(key=lambda one: (one.width is None, -one.pu.likely, one.width, one.height))
        return Estimate(self._terms, tuple(tiles), assumptions, stage)


def _mean(weighted: list[Range], weight: int) -> Range:
    if not weight:
        return NOTHING
    return Range(*(math.fsum(values) / weight for values in zip(*weighted, strict=True)))


def _rounded(values: Range) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values._asdict().items()}
