"""Random definitions that are sound, over everything that a definition can say."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from support import box

from airflow_provider_sentinelhub.client.definition import BucketKeys, GoogleKey
from airflow_provider_sentinelhub.client.definition.collections import COLLECTIONS

ROLE = "arn:aws:iam::123456789012:role/batch"
OWN = (
    "byoc-5ec4f3a8-0000-4000-8000-00000000feed",
    "batch-7",
    "zarr-9",
    "5EC4F3A8-0000-4000-8000-00000000feed",
)
CDSE_ONLY = ("sentinel-3-olci", "sentinel-3-olci-l2", "sentinel-3-slstr", "sentinel-5p-l2")
GRIDS = {0: (10, 20, 60), 1: (10, 20), 2: (60, 120), 3: (0.0001, 0.0002), 6: (40, 50, 100), 7: (10, 20)}
SPELLINGS = {"sentinel-2-l2a": "Sentinel-2 L2A", "sentinel-1-grd": "S1_GRD", "landsat-ot-l1": "landsat8-l1"}


def look_up(kind: str, name: str) -> BucketKeys | GoogleKey:
    """Return planted credentials for any name."""
    if kind == "aws":
        return BucketKeys(f"planted-{name}", "planted-secret")
    return GoogleKey.of({"client_email": name, "private_key": "planted-secret"})


def definitions(count: int, *, seed: int = 1, cdse: bool = True) -> Iterator[dict[str, Any]]:
    """Yield definitions as `BatchDefinition.read` takes them; ``cdse``: with collections only CDSE has."""
    for index in range(count):
        yield _Author(random.Random(f"{seed}-{index}"), cdse).write()


class _Author:
    def __init__(self, dice: random.Random, cdse: bool) -> None:
        self.dice = dice
        self.collections = [name for name in COLLECTIONS if cdse or name not in CDSE_ONLY]

    def maybe(self, chance: float = 0.5) -> bool:
        return self.dice.random() < chance

    def some(self, offered: dict[str, Any], chance: float = 0.4) -> dict[str, Any]:
        """Take some of what is offered, and write it in one of the ways in which people do."""
        taken = {name: self.dice.choice(values) for name, values in offered.items() if self.maybe(chance)}
        return {
            "".join("_" + c.lower() if c.isupper() else c for c in name) if self.maybe(0.2) else name: value
            for name, value in taken.items()
        }

    def write(self) -> dict[str, Any]:
        zarr = self.maybe(0.25)
        said: dict[str, Any] = {"evalscript": "//VERSION=3\n{{ not jinja }}"}
        said |= self.where(zarr)
        said |= self.what()
        said |= self.zarr() if zarr else self.raster()
        said |= self.some({"description": ["mine", "with ünicode"]})
        return said

    def dates(self) -> Any:
        ways = [
            ("2020-07-01", "2020-07-31"),
            "2020-07-01/2020-07-31",
            ("2020-07-01T10:00", "2020-07-01 12:30:00.5+02:00"),
            "['2020-07-01', '2020-07-02T00:00:00Z']",
        ]
        return self.dice.choice(ways)

    def source(self, *, dated: bool) -> dict[str, Any]:
        own = self.maybe(0.15)
        name = self.dice.choice(OWN) if own else self.dice.choice(self.collections)
        collection = None if own else COLLECTIONS[name]
        said: dict[str, Any] = {"collection": SPELLINGS.get(name, name) if self.maybe() else name}
        resampling = ["NEAREST", "bilinear", "BICUBIC"]
        orders = collection.orders if collection else ("mostRecent", "leastRecent")
        said |= self.some({"mosaicking_order": list(orders)} if orders else {})
        if dated and orders:
            said["time_range"] = self.dates()
        if collection and collection.clouds:
            said |= self.some({"max_cloud_coverage": [0, 12.5, "57", 100]})
        filters = {key: _values(rule) for key, rule in (collection.filters if collection else {}).items()}
        options = {key: _values(rule) for key, rule in (collection.processing if collection else {}).items()}
        options |= {"upsampling": resampling, "downsampling": resampling}
        said["data_filter"] = self.some(filters)
        said["processing"] = self.some(options)
        return {key: value for key, value in said.items() if value != {}}

    def what(self) -> dict[str, Any]:
        if self.maybe(0.6):
            return {"time_range": self.dates(), **self.source(dated=False)}
        shared = self.maybe()
        sources = [
            {"id": f"s{index}", **self.source(dated=not shared or self.maybe(0.2))}
            for index in range(self.dice.randint(1, 4))
        ]
        said: dict[str, Any] = {"sources": repr(sources) if self.maybe(0.2) else sources}
        return said | ({"time_range": self.dates()} if shared else {})

    def where(self, zarr: bool) -> dict[str, Any]:
        west, south = self.dice.uniform(-170, 170), self.dice.uniform(-70, 70)
        polygon = box(west, south, west + 0.5, south + 0.5)
        areas: list[Any] = [
            polygon,
            {"type": "MultiPolygon", "coordinates": [polygon["coordinates"]]},
            {"type": "Feature", "properties": {}, "geometry": polygon},
            [west, south, west + 0.5, south + 0.5],
        ]
        said: dict[str, Any] = {"area": self.dice.choice(areas)}
        if self.maybe(0.2):
            said = {"area": [500000, 4600000, 520000, 4620000], "area_crs": "EPSG:32633"}
        if not zarr and self.maybe(0.3):
            size: dict[str, Any] = self.dice.choice(
                [{}, {"width": 512, "height": "256"}, {"resolution": 0.5}]
            )
            own = {"iam_role_arn": ROLE, "region": "us-west-2"} if self.maybe(0.3) else {}
            named = {"aws_conn_id": "other"} if not own and self.maybe() else {}
            file: Any = {"url": "s3://bucket/fields.gpkg", **size, **own, **named}
            return {**(said if self.maybe() else {}), "geopackage": file, **self.to_where(zarr, s3=True)}
        grid = self.dice.choice([3, 6, 7] if zarr else list(GRIDS))
        said |= {"tiling_grid_id": grid, "resolution": self.dice.choice(GRIDS[grid])}
        if self.maybe(0.3):
            said = {**said, "tiling_grid_id": str(grid), "resolution": str(said["resolution"])}
        said |= self.some({"buffer": [(50, 50), [0, 7], "50, 5", "(1, 0)"]})
        return {**said, **self.to_where(zarr)}

    def to_where(self, zarr: bool, s3: bool = False) -> dict[str, Any]:
        folder = self.dice.choice(["x", "x/<requestId>"] if zarr else ["x", "<tileName>/<outputId>.<format>"])
        way = self.dice.choice(["keys", "role"] if s3 else ["keys", "role", "google", "other"])
        if way == "google":
            return {"delivery_url": f"gs://a_bucket/{folder}", "delivery_gcp_conn_id": "gcp"}
        if way == "other":
            return {"delivery": {"pl:destinations": {"url": "pl:destinations/mine-1"}}}
        opened = {"delivery_aws_conn_id": "aws"} if way == "keys" else {"iam_role_arn": ROLE}
        return {
            "delivery_url": f"s3://bucket/{folder}",
            **opened,
            **self.some({"delivery_region": ["WAW3-1"]}),
        }

    def raster(self) -> dict[str, Any]:
        cog = self.maybe()
        lists: list[Any] = [["a"], ["a", "b"], "a, b", {"a": "image/tiff", "b": "image/tiff"}]
        said: dict[str, Any] = {"outputs": self.dice.choice(lists)}
        said |= self.some({"overwrite": [True, "true", False], "skip_existing": [True, False]})
        if not cog:
            if self.maybe(0.3):
                said["outputs"] = self.dice.choice([["a", "userdata"], {"userdata": "application/json"}])
            return said
        said |= {"cog": self.dice.choice([True, "True"])}
        parameters = {
            "overviewLevels": [[2, 4, 8]],
            "overviewMinSize": [256],
            "resamplingAlgorithm": ["NEAREST", "average_magphase"],
            "blockxsize": [512, "1024"],
            "blockysize": [256],
            "usePredictor": [True, False],
        }
        said |= {"cog_parameters": self.some(parameters)} if self.maybe() else {}
        if self.maybe(0.3):
            said |= {"create_collection": True, **self.some({"collection_id": ["5ec4f3a8"]})}
        return said

    def zarr(self) -> dict[str, Any]:
        fills: list[tuple[str, Any]] = [("|u1", 255), ("<i2", -32768), (">f4", "NaN"), ("<f8", float("-inf"))]
        dtype, fill = self.dice.choice(fills)
        array = {"dtype": dtype, "chunks": [1, 500, 500], "fill_value": fill}
        array |= self.some({"order": ["C"], "compressor": [{"id": "blosc", "clevel": 3}]})
        said: dict[str, Any] = {"array_parameters": array}
        if self.maybe(0.3):
            said = {"array_overrides": {"a": array, "b": {**array, "customAttributes": {"unit": "1"}}}}
        elif self.maybe():
            said["array_overrides"] = {"a": self.some({"customAttributes": [{"unit": "K"}]})}
        group = {"coordinates": [{"origin": "bottomLeft"}], "customAttributes": [{"owner": "me"}]}
        said |= {"group": self.some(group)} if self.maybe() else {}
        return {"outputs": ["a", "b"], "zarr": said}


def _values(rule: Any) -> list[Any]:
    """Return some values that a rule allows."""
    if hasattr(rule, "values"):
        return [rule.values[0], rule.values[-1].lower()]
    if hasattr(rule, "low"):
        return [rule.low, str(int(rule.high))]
    if getattr(rule, "__name__", "") == "flag":
        return [True, "False"]
    return [{"type": "LEE", "windowSizeX": 3, "windowSizeY": 5}, {"type": "none"}]
