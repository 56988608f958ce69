"""An estimate term by term, for the person who approves it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from airflow_provider_sentinelhub.client.price import formula

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_sentinelhub.client.price.estimate import Estimate, Range, Tiles

Row = tuple[str, str, str]

_HEAD: Row = ("term", "quantity", "factor or PU")
_SIZES = 5  # told one by one
_WIDTH = 100


def rows(estimate: Estimate) -> list[Row]:
    """Return term, quantity, and factor or PU of each line."""
    terms, api = estimate.terms, estimate.terms.api
    bands = f"{terms.bands} for {formula.REFERENCE_BANDS}, dataMask free"
    found: list[Row] = [("input bands", bands, _times(terms.bands / formula.REFERENCE_BANDS))]
    kind = {1.0: "8 or 16 bits", formula.FLOAT32: "32-bit float", formula.OCTET_STREAM: "octet stream"}
    found.append(("output format", kind.get(terms.format, "other"), _times(terms.format)))
    if terms.fusion != 1:
        remote = f" and {terms.remote} remote" if terms.remote else ""
        found.append(("data fusion", f"{terms.local} collections{remote}", _times(terms.fusion)))
    if terms.sentinel1 != 1:
        found.append(("Sentinel-1 processing", "", _times(terms.sentinel1)))
    found.append(("tiles", f"{estimate.count:,}, {estimate.pixels:,} pixels", ""))
    for tiles in estimate.tiles[:_SIZES]:
        found.extend(_size(estimate, tiles))
    rest = estimate.tiles[_SIZES:]
    if rest:
        count = sum(tiles.count for tiles in rest)
        pu = [sum(values) for values in zip(*(tiles.pu for tiles in rest), strict=True)]
        found.append((f"{count:,} tiles of other sizes", "", f"{_spread(pu)} PU"))
    found.append(("sum of all tiles", "", f"{_spread(estimate.before_minimum)} PU"))
    found.append((f"minimum of a {api.name} request", "", f"{api.minimum:g} PU"))
    for name, value in estimate.pu._asdict().items():
        found.append((f"PRICE, {name}", "", f"{_number(value)} PU"))
    return found


def _size(estimate: Estimate, tiles: Tiles) -> list[Row]:
    terms = estimate.terms
    if tiles.width is None or tiles.height is None:
        return [(f"{tiles.count:,} tiles of other sizes", "", f"{_spread(tiles.pu)} PU")]
    size = (tiles.width, tiles.height)
    discount = terms.discount(*size)
    return [
        (f"{tiles.count:,} of {size[0]} x {size[1]} px", "each for 512 x 512", _times(terms.share(*size))),
        ("  samples per pixel", _spread(tiles.samples), _times(tiles.samples.likely)),
        (f"  {terms.api.name}", "" if discount != 1 else "no reduction at this size", _times(discount)),
        ("  all of these", "", f"{_spread(tiles.pu)} PU"),
    ]


def plain(lines: Sequence[Row], assumptions: Sequence[str]) -> str:
    """Return lines in columns."""
    widths = [max(len(line[column]) for line in (_HEAD, *lines)) for column in range(3)]
    text = [
        f"{name:{widths[0]}}  {quantity:{widths[1]}}  {factor:>{widths[2]}}".rstrip()
        for name, quantity, factor in (_HEAD, tuple("-" * width for width in widths), *lines)
    ]
    text += ["", "Assumed:"]
    for sentence in assumptions:
        text += textwrap.wrap(sentence, _WIDTH, initial_indent="- ", subsequent_indent="  ")
    return "\n".join(text)


def markdown(lines: Sequence[Row], assumptions: Sequence[str]) -> str:
    """Return lines as a Markdown table."""
    text = [f"| {' | '.join(_HEAD)} |", "|---|---|---:|"]
    for name, quantity, factor in lines:
        bold = "**" if name.startswith("PRICE") else ""
        indented = "&nbsp;&nbsp;" + name.strip() if name.startswith(" ") else name
        text.append(f"| {bold}{indented}{bold} | {quantity} | {bold}{factor}{bold} |".replace("****", ""))
    return "\n".join([*text, "", "Assumed:", "", *(f"- {sentence}" for sentence in assumptions)])


def _times(factor: float) -> str:
    return f"x {factor:.4g}"


def _spread(values: Range | Sequence[float]) -> str:
    low, likely, high = map(_number, values)
    return likely if low == high else f"{likely} ({low} to {high})"


def _number(value: float) -> str:
    return f"{value:,.2f}" if value >= 1 or not value else f"{value:.4f}"
