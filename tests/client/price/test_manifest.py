"""Prices after the analysis: what the manifest on the bucket lists, its sizes with or without the buffer."""

from __future__ import annotations

import sqlite3
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from client.delivery.fakes import Delivery
from client.price.making import script, wire
from sandbox_driver import Sandbox
from shapely.geometry import box
from support import FOUR_TILES, client_for, definition, wait_for

from airflow_provider_sentinelhub.client.errors import DefinitionError, UnreadableDeliveryError
from airflow_provider_sentinelhub.client.models import BatchRequest
from airflow_provider_sentinelhub.client.price import Estimate, Source, price_definition, price_request
from airflow_provider_sentinelhub.client.price.buffers import Buffers
from airflow_provider_sentinelhub.client.price.plan import Plan, read_plan

TWO_OUTPUTS = """//VERSION=3
function setup() {
  return {input: ["B04", "B08"], mosaicking: "ORBIT",
    output: [{id: "a", bands: 1, sampleType: "FLOAT32"}, {id: "b", bands: 1}]};
}
function evaluatePixel() { return {a: [1], b: [1]}; }
"""


def test_an_analysis_says_what_was_foreseen(sandbox: Sandbox) -> None:
    asked = definition(sandbox, area=FOUR_TILES, buffer=(30, 10), evalscript=TWO_OUTPUTS, outputs=["a", "b"])
    with_client = client_for(sandbox)
    request_id = with_client.create(asked.to_wire()).id
    with_client.analyse(request_id)
    request = wait_for(with_client, request_id, "ANALYSIS_DONE")
    with_client.close()
    before = price_definition(asked.to_wire())
    after = price_request(sandbox.s3_client(), request)
    assert after.stage == "after the analysis"
    assert after.tiles == before.tiles
    [tiles] = after.tiles
    assert (tiles.width, tiles.height, tiles.count) == (560, 520, before.count)
    assert after.terms.format == 2
    assert "The manifest gives sizes without the buffer: its 30 x 10 pixels on each side are added." in (
        after.assumptions
    )


class Manifest(Delivery):
    """A manifest made by hand, of whatever sizes."""

    def price(self, sizes: dict[str, tuple[Any, Any]], body: dict[str, Any], **options: Any) -> Estimate:
        self.plan(sizes)
        path = self.home / "manifest.gpkg"
        with sqlite3.connect(path) as database:
            for tile, size in sizes.items():
                database.execute(
                    "UPDATE feature SET width = ?, height = ? WHERE identifier = ?", (*size, tile)
                )
        database.close()
        self.put_records(path.read_bytes())
        return self.priced(body, **options)

    def priced(self, body: dict[str, Any], **options: Any) -> Estimate:
        request = self.request("ANALYSIS_DONE")
        output = {**body["output"], **request.definition["output"]}
        request = replace(request, definition={**body, "output": output})
        return price_request(self.s3, request, script=script(), **options)


@pytest.fixture
def manifest(sandbox: Sandbox, tmp_path: Path) -> Manifest:
    return Manifest(sandbox, tmp_path)


GEOPACKAGE = {**wire(), "input": {"type": "geopackage"}}


def test_features_are_counted_once_for_all_outputs(manifest: Manifest) -> None:
    estimate = manifest.price({"a": (100, 100), "b": (100, 100), "c": (200, 300)}, GEOPACKAGE)
    assert [(one.width, one.height, one.count) for one in estimate.tiles] == [(100, 100, 2), (200, 300, 1)]
    assert estimate.before_minimum.likely == pytest.approx((2 * 100 * 100 + 200 * 300 / 3) / 512**2 * 2 / 3)


def test_many_sizes_are_put_together(manifest: Manifest) -> None:
    sizes = {f"field-{number}": (number + 60, 60) for number in range(1100)}
    estimate = manifest.price(sizes, GEOPACKAGE)
    assert estimate.count == 1100
    assert len(estimate.tiles) == 1001
    rest = estimate.tiles[-1]
    assert (rest.width, rest.count) == (None, 100)
    assert estimate.pixels == sum(width * height for width, height in sizes.values())
    each = sum(estimate.terms.units(*size) for size in sizes.values())
    assert estimate.before_minimum.likely == pytest.approx(each)
    assert "1,095 tiles of other sizes" in estimate.table()


def test_scenes_are_looked_for_where_the_features_are(manifest: Manifest) -> None:
    asked = []
    body = {**GEOPACKAGE, "processRequest": {**GEOPACKAGE["processRequest"]}}

    def find(_: Source, area: Any) -> list[Any]:
        asked.append(area)
        return []

    estimate = manifest.price({"a": (100, 100), "b": (100, 100)}, body, scenes=find)
    [area] = asked
    assert area.area < 0.001  # two squares of a kilometre at the equator
    assert area.bounds[1] == pytest.approx(0, abs=1e-6)
    assert estimate.before_minimum[:2] == (0, 0)


def test_a_manifest_that_is_missing_or_another_s(manifest: Manifest) -> None:
    with pytest.raises(UnreadableDeliveryError, match="never analysed"):
        manifest.priced(GEOPACKAGE)
    manifest.put_records(b"PK" * 100)
    with pytest.raises(UnreadableDeliveryError, match="is not an SQLite file"):
        manifest.priced(GEOPACKAGE)
    manifest.put_records(manifest.plan([]))
    with pytest.raises(UnreadableDeliveryError, match="plans no tile"):
        manifest.priced(GEOPACKAGE)


@pytest.mark.parametrize(
    ("size", "said"), [((0, 10), "has a feature of 0 x 10 pixels"), ((None, 10), "features without a size")]
)
def test_sizes_that_cannot_be(manifest: Manifest, size: Any, said: str) -> None:
    with pytest.raises(UnreadableDeliveryError, match=said):
        manifest.price({"a": size}, GEOPACKAGE)


def test_a_geometry_that_is_none(manifest: Manifest) -> None:
    manifest.plan(["a"])
    path = manifest.home / "manifest.gpkg"
    with sqlite3.connect(path) as database:
        database.execute("UPDATE feature SET geometry = ?", (struct.pack("<4s", b"none"),))
    database.close()
    manifest.put_records(path.read_bytes())
    with pytest.raises(UnreadableDeliveryError, match="geometry that is not GeoPackage's"):
        manifest.priced(GEOPACKAGE)


def test_a_request_without_an_echo_cannot_be_priced(manifest: Manifest) -> None:
    request: BatchRequest = manifest.request()
    with pytest.raises(DefinitionError) as error:
        price_request(manifest.s3, request, script=script())
    assert [fault.field for fault in error.value.faults] == ["collection", "input"]


def buffered(grid: int, resolution: float) -> Plan:
    return read_plan(wire(grid=grid, resolution=resolution, buffer=(5, 10)), script())


@pytest.mark.parametrize(
    ("grid", "resolution", "size", "side", "full", "note"),
    [
        # Grids that are known: what the outline is does not matter.
        (2, 360, (278, 278), 278, (288, 298), "without the buffer"),
        (2, 360, (288, 298), 278, (288, 298), "have the buffer in them"),
        (2, 360, (280, 280), 280, (290, 300), "does not show"),
        # A resolution that is not published: the outline tells.
        (2, 1000, (100, 100), (110, 120), (110, 120), "without the buffer"),
        (2, 1000, (110, 120), 100, (110, 120), "have the buffer in them"),
        (2, 1000, (100, 100), 100, (110, 120), "does not show"),
    ],
)
def test_buffers(grid: int, resolution: float, size: Any, side: Any, full: Any, note: str) -> None:
    columns, rows = side if isinstance(side, tuple) else (side, side)
    buffers = Buffers(buffered(grid, resolution))
    buffers.learn(size[0], size[1], (0.0, 0.0, columns * resolution, rows * resolution))
    assert buffers.size(*size) == full
    [said] = buffers.notes
    assert note in said


def test_what_is_not_known_is_said_once() -> None:
    buffers = Buffers(buffered(2, 360))
    for size in (100, 200, 300):
        buffers.learn(size, size, (0, 0, 1, 1))
    assert len(buffers.notes) == 1


def test_outlines_get_the_buffer() -> None:
    import numpy as np

    buffers = Buffers(buffered(2, 360))
    outline = box(0, 0, 278 * 360, 278 * 360).bounds
    widened = buffers.widened(np.array([outline]), np.array([[288, 298]]))
    assert widened.tolist() == [[-1800, -3600, 278 * 360 + 1800, 278 * 360 + 3600]]
