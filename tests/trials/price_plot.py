"""A picture of prices: estimated against billed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from airflow_provider_sentinelhub.client.price import Range

BLUE, GREY = "#1f5fa8", "#c8ccd2"


def plot(path: Path, points: Sequence[tuple[Range, float]], within: float) -> None:
    """Write an SVG: for each request the likely price, and its low and high as a line."""
    import matplotlib as mpl

    mpl.use("svg")
    # The same picture for the same numbers.
    mpl.rcParams["svg.hashsalt"] = "prices"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 5.4))
    known = [(spread, actual) for spread, actual in points if actual > 0 and spread.likely > 0]
    ends = [0.7 * min(actual for _, actual in known), 1.4 * max(actual for _, actual in known)]
    low, high = ([(1 + sign * within) * end for end in ends] for sign in (-1, 1))
    axes.fill_between(ends, low, high, color=GREY, alpha=0.5, linewidth=0, label=f"within {within:.0%}")
    axes.vlines(
        [actual for _, actual in known],
        [max(spread.low, 0.5 * ends[0]) for spread, _ in known],
        [spread.high for spread, _ in known],
        color=GREY,
        linewidth=1.2,
        label="low to high",
    )
    axes.plot(
        [actual for _, actual in known],
        [spread.likely for spread, _ in known],
        "o",
        color=BLUE,
        markersize=3,
        label="likely",
    )
    axes.set(
        xscale="log",
        yscale="log",
        xlim=ends,
        xlabel="billed by the sandbox (PU, before the minimum of a request)",
        ylabel="estimated after the analysis (PU)",
        title=f"{len(known)} random batch requests",
    )
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
