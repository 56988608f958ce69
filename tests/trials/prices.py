"""Hold estimated prices against what the sandbox bills, which counts the pixels that it computed.

    python tests/trials/prices.py [--count 200] [--seed 1] [--only NUMBER …]

Random requests, priced before they are created and after their analysis, with the scenes that the Catalog
knows, then processed. Ends with a table and, with ``--plot``, a picture; exit code 1 if the estimates after
the analysis were not as good as promised.

Two kinds are off. Near the border of two UTM zones, the sandbox renders a tile from the scenes of the zones
that it touches, while its Catalog lists the neighbours' as well. In data fusion with SIMPLE mosaicking, it
bills a sample also of a collection that has no scene there.

A request costs 100 PU at least, and these are small: so the sums of their tiles are compared, too.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from sandbox_driver import Sandbox
from shapely.geometry import mapping
from support import client_for, wait_for
from trials.price_plot import plot
from trials.price_requests import case

from airflow_provider_sentinelhub.client.price import (
    Estimate,
    Range,
    Source,
    price_definition,
    price_request,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_sentinelhub.client.batch import BatchClient

WITHIN = 0.1  # of what is billed
PROMISED = 0.95, 0.99  # of the requests: the likely price within that, what is billed within low and high
_ROUNDING = 1e-3  # of a footprint's edge, which the Catalog gives to the metre
_SECONDS = 300.0


@dataclass(frozen=True)
class SceneItem:
    """A scene as the Catalog's items tell of it."""

    datetime: datetime
    geometry: dict[str, Any]
    cloud_cover: float | None


@dataclass(frozen=True)
class Outcome:
    """What one request was thought to cost, and did.

    ``blind`` is the estimate before creation without the Catalog; ``units`` is the sum of the tiles,
    ``billed`` the price.
    """

    number: int
    name: str
    blind: Estimate
    before: Estimate
    after: Estimate
    units: float
    billed: float
    tiles: int

    @property
    def close(self) -> bool:
        """Whether the likely price is close enough, before and with the minimum."""
        pairs = (
            (self.after.before_minimum.likely, self.units),
            (self.after.pu.likely, self.billed),
        )
        return all(_near(estimated, actual, WITHIN) for estimated, actual in pairs)

    @property
    def bracketed(self) -> bool:
        """Whether what was billed lies between low and high, before and with the minimum."""
        pairs = ((self.after.before_minimum, self.units), (self.after.pu, self.billed))
        return all(_within(estimated, actual) for estimated, actual in pairs)

    def __str__(self) -> str:
        spread = self.after.before_minimum
        return (
            f"{self.number:>4}  {self.name:26} {self.tiles:>5} {self.before.before_minimum.likely:>9.3f} "
            f"{spread.low:>9.3f} {spread.likely:>9.3f} {spread.high:>9.3f} {self.units:>9.3f} "
            f"{self.billed:>8.2f}  {'' if self.close else 'FAR '}{'' if self.bracketed else 'OUTSIDE'}"
        )


def main() -> int:
    """Run the trial."""
    options = parser().parse_args()
    numbers = options.only or range(options.count)
    began = time.monotonic()
    print(
        f"{'':4}  {'request':26} {'tiles':>5} {'before':>9} {'low':>9} {'likely':>9} {'high':>9} "
        f"{'units':>9} {'billed':>8}"
    )
    with Sandbox(workers=2) as sandbox, closing(client_for(sandbox)) as client:
        run = partial(trial, sandbox, client, seed=options.seed)
        outcomes = []
        with ThreadPoolExecutor(2) as pool:
            for outcome in pool.map(run, numbers):
                print(outcome, flush=True)
                outcomes.append(outcome)
    close, bracketed = (
        sum(found) / len(outcomes)
        for found in ([one.close for one in outcomes], [one.bracketed for one in outcomes])
    )
    early = [_near(one.before.before_minimum.likely, one.units, WITHIN) for one in outcomes]
    blind = [_within(one.blind.before_minimum, one.units) for one in outcomes]
    print(f"\n| {len(outcomes)} requests, seed {options.seed} | share | promised |\n|---|---:|---:|")
    print(f"| cost something | {sum(one.units > 0 for one in outcomes) / len(outcomes):.1%} | |")
    print(f"| likely within {WITHIN:.0%}, after the analysis | {close:.1%} | {PROMISED[0]:.0%} |")
    print(f"| between low and high, after the analysis | {bracketed:.1%} | {PROMISED[1]:.0%} |")
    print(f"| likely within {WITHIN:.0%}, before creation | {sum(early) / len(early):.1%} | |")
    print(f"| between low and high, without the Catalog | {sum(blind) / len(blind):.1%} | |")
    print(f"| seconds | {time.monotonic() - began:.0f} | |")
    if options.plot:
        plot(options.plot, [(one.after.before_minimum, one.units) for one in outcomes], WITHIN)
    return 0 if (close, bracketed) >= PROMISED and bracketed >= PROMISED[1] else 1


def trial(sandbox: Sandbox, client: BatchClient, number: int, *, seed: int) -> Outcome:
    """Price one request, have it processed, and look at the bill."""
    one, s3 = case(number, seed), sandbox.s3_client()
    place = {
        "url": f"s3://{sandbox.bucket}",
        "accessKey": sandbox.access_key,
        "secretAccessKey": sandbox.secret_key,
    }
    wire = one.wire(place, f"prices-{number}")
    find = partial(scenes, sandbox)
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary, "features.gpkg")
        if one.features:
            one.write_features(path)
            s3.upload_file(str(path), sandbox.bucket, f"prices-{number}.gpkg")
        blind = price_definition(wire, geopackage=path)
        before = price_definition(wire, scenes=find, geopackage=path)
    request = client.create(wire)
    client.analyse(request.id)
    analysed = wait_for(client, request.id, "ANALYSIS_DONE", _SECONDS)
    after = price_request(s3, analysed, scenes=find)
    client.start(request.id)
    billed = wait_for(client, request.id, "DONE", _SECONDS).cost_pu or 0.0
    units, tiles, failed = bill(sandbox, request.id)
    assert not failed, f"{failed} tiles of request {number} failed"
    return Outcome(number, one.name, blind, before, after, units, billed, tiles)


def bill(sandbox: Sandbox, request_id: str) -> tuple[float, int, int]:
    """Return what the sandbox has charged for tiles, how many there are and how many failed."""
    path = (sandbox.data_dir / "sandbox.sqlite").absolute().as_uri()
    with closing(sqlite3.connect(f"{path}?mode=ro", uri=True)) as database:
        units, tiles, failed = database.execute(
            "SELECT sum(pu), count(*), sum(status <> 'DONE') FROM tiles WHERE task = ?", (request_id,)
        ).fetchone()
    return units, tiles, failed


def scenes(sandbox: Sandbox, source: Source, area: Any) -> Iterator[SceneItem]:
    """Search the Catalog, page by page."""
    body = {
        "collections": [source.collection],
        "datetime": f"{source.start:%Y-%m-%dT%H:%M:%SZ}/{source.end:%Y-%m-%dT%H:%M:%SZ}",
        "intersects": mapping(area),
        "limit": 100,
    }
    while True:
        answer = sandbox.call("POST", "/catalog/v1/search", json=body, timeout=_SECONDS)
        assert answer.ok, answer.text
        page = answer.json()
        for item in page["features"]:
            properties = item["properties"]
            moment = datetime.fromisoformat(properties["datetime"].replace("Z", "+00:00"))
            yield SceneItem(moment, item["geometry"], properties["eo:cloud_cover"])
        if "next" not in page["context"]:
            return
        body["next"] = page["context"]["next"]


def _near(estimated: float, actual: float, share: float) -> bool:
    return abs(estimated - actual) <= share * actual + 1e-9


def _within(estimated: Range, actual: float) -> bool:
    return estimated.low * (1 - _ROUNDING) - 1e-9 <= actual <= estimated.high * (1 + _ROUNDING) + 1e-9


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--count", type=int, default=200, help="requests (default: %(default)s)")
    options.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    options.add_argument("--only", type=int, nargs="+", metavar="NUMBER", help="only these of them")
    options.add_argument("--plot", type=Path, metavar="FILE", help="SVG to write")
    return options


if __name__ == "__main__":
    sys.exit(main())
