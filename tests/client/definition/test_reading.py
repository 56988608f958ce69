"""Definitions from dicts and files: the same names everywhere, what is given besides wins."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from random_definitions import ROLE, definitions, look_up
from support import box

from airflow_provider_sentinelhub.client.definition import (
    BatchDefinition,
    BucketKeys,
    Delivery,
    GeoPackage,
    GoogleKey,
    OtherDelivery,
    Source,
)
from airflow_provider_sentinelhub.client.definition.reading import NAMES
from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault
from airflow_provider_sentinelhub.client.fingerprint import Fingerprint
from airflow_provider_sentinelhub.client.models import TilingGrid

GRIDS = [TilingGrid(1, "10km grid", 10000, 10000, "METRE", (10, 20))]
SOUND: dict[str, Any] = {
    "evalscript": "//VERSION=3\n",
    "area": box(14, 45, 15, 46),
    "time_range": ["2020-07-01", "2020-07-31"],
    "tiling_grid_id": 1,
    "resolution": 10,
    "delivery_url": "s3://bucket/ndvi",
    "iam_role_arn": ROLE,
}
YAML = """
evalscript: ndvi.js
area: field.geojson
time_range: [2020-07-01, 2020-07-31 12:00:00]
sources:
  - {id: optical, collection: Sentinel-2 L2A, max_cloud_coverage: 20}
  - id: radar
    collection: sentinel-1-grd
    data_filter: {orbit_direction: ascending}
tiling_grid_id: 1
resolution: 10
cog: yes
delivery_url: s3://bucket/ndvi
iam_role_arn: arn:aws:iam::123456789012:role/batch
"""


def wire(*arguments: Any, **options: Any) -> dict[str, Any]:
    definition = BatchDefinition.read(*arguments, look_up=look_up, **options)
    definition.check()
    return definition.to_wire()


def faults(said: dict[str, Any]) -> list[str]:
    return [str(fault) for fault in BatchDefinition.read(said, look_up=look_up).faults()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "batches").mkdir()
    (tmp_path / "batches" / "ndvi.yaml").write_text(YAML)
    (tmp_path / "batches" / "field.geojson").write_text(json.dumps(SOUND["area"]))
    (tmp_path / "ndvi.js").write_text(SOUND["evalscript"])
    return tmp_path


def test_a_yaml_file_a_json_file_and_a_dict_say_the_same(folder: Path) -> None:
    said: dict[str, Any] = {
        **SOUND,
        "time_range": ("2020-07-01", datetime(2020, 7, 31, 12)),
        "cog": True,
        "sources": [
            Source(id="optical", collection="sentinel-2-l2a", max_cloud_coverage=20),
            {"id": "radar", "collection": "s1", "data_filter": {"orbitDirection": "ASCENDING"}},
        ],
    }
    from_yaml = wire("batches/ndvi.yaml", folders=[folder])
    assert from_yaml == wire(said)
    said = {**said, "time_range": ["2020-07-01", "2020-07-31T12:00"], "sources": said["sources"][1:]}
    (folder / "one.json").write_text(json.dumps(said))
    assert wire(folder / "one.json") == wire(said)


@pytest.mark.parametrize("index", range(40))
def test_a_file_says_what_the_dict_says(tmp_path: Path, index: int) -> None:
    import yaml

    said = list(definitions(index + 1, seed=5))[index]
    said = json.loads(json.dumps(said))
    for name, text in (("a.yaml", yaml.safe_dump(said)), ("a.json", json.dumps(said))):
        (tmp_path / name).write_text(text)
        assert wire(name, folders=[tmp_path]) == wire(said)


def test_what_is_given_besides_wins(folder: Path) -> None:
    given = {"resolution": "20", "collection": "modis", "delivery_aws_conn_id": "aws", "description": None}
    sent = wire("batches/ndvi.yaml", given, folders=[folder])
    assert sent["input"]["resolution"] == 20
    assert [one["type"] for one in sent["processRequest"]["input"]["data"]] == ["modis"]
    assert sent["output"]["delivery"]["s3"] == {
        "url": "s3://bucket/ndvi",
        "accessKey": "planted-aws",
        "secretAccessKey": "planted-secret",
    }
    sent = wire("batches/ndvi.yaml", {"geopackage": "s3://bucket/f.gpkg"}, folders=[folder])
    assert sent["input"]["type"] == "geopackage"
    sent = wire(SOUND, {"delivery": {"pl:destinations": {"url": "pl:destinations/x"}}})
    assert sent["output"]["delivery"] == {"pl:destinations": {"url": "pl:destinations/x"}}


def test_what_jinja_makes_of_values_is_understood() -> None:
    said = {
        **SOUND,
        "tiling_grid_id": "1",
        "resolution": "10.0",
        "buffer": "(50, 0)",
        "outputs": "['NDVI', 'data_mask']",
        "cog": "True",
        "cog_parameters": "{'blockxsize': '512', 'usePredictor': 'False'}",
        "data_filter": "{}",
        "delivery_region": "None",
        "mosaicking_order": "",
        "time_range": "2020-07-01T00:00:00+00:00/2020-07-31 23:59:59+00:00",
    }
    meant = {
        **SOUND,
        "buffer": (50, 0),
        "outputs": ["NDVI", "data_mask"],
        "cog": True,
        "cog_parameters": {"blockxsize": 512, "usePredictor": False},
    }
    assert wire(said) == wire(meant)


def test_a_process_request_in_a_file_is_a_definition(tmp_path: Path) -> None:
    request = {
        "evalscript": "//VERSION=3\n",
        "input": {
            "bounds": {"bbox": [14, 45, 15, 46], "geometry": box(14.5, 45.5, 16, 47)},
            "data": [
                {"type": "modis", "dataFilter": {"timeRange": {"from": "2020-07-01", "to": "2020-07-02"}}}
            ],
        },
        "output": {"resx": 10, "resy": 10, "extra": 1},
    }
    (tmp_path / "process.json").write_text(json.dumps(request))
    given = {name: SOUND[name] for name in ("tiling_grid_id", "resolution", "delivery_url", "iam_role_arn")}
    definition = BatchDefinition.read(tmp_path / "process.json", given)
    assert [str(fault) for fault in definition.faults()] == [
        "output.extra: is not part of a definition. Did you mean outputs?"
    ]
    assert definition.collection == "modis"
    assert definition.notes == (
        "The area is the part of the geometry that lies in the bbox.",
        "Not used, since the grid or the GeoPackage says the size: resx 10, resy 10.",
    )


def test_something_else_is_no_process_request() -> None:
    with pytest.raises(TypeError, match="int is neither a dict nor holds the payload"):
        BatchDefinition.from_process_request(7)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("missing.yaml", "definition: there is no file 'missing.yaml' in "),
        ("ndvi", "definition: 'ndvi' is not the path of a .yaml or .json file"),
        ("broken.yaml", "definition: broken.yaml cannot be read: "),
        ("broken.json", "definition: broken.json cannot be read: "),
        ("list.yaml", "definition: is a list, not a dict of names to values"),
        ("{'resolution': ", "definition: \"{'resolution':\" cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, said: str, words: str) -> None:
    (tmp_path / "broken.yaml").write_text("a: [1")
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "list.yaml").write_text("[1]")
    definition = BatchDefinition.read(said, SOUND, folders=[tmp_path], look_up=look_up)
    assert next(str(fault) for fault in definition.faults()).startswith(words)
    with pytest.raises(DefinitionError, match="one fault"):
        definition.check()


# --- credentials ---


def test_keys_are_in_the_wire_form_and_nowhere_else() -> None:
    key = GoogleKey.of({"client_email": "me", "private_key": "planted-secret"})
    assert json.loads(base64.b64decode(key.credentials))["client_email"] == "me"
    assert GoogleKey.of(key.credentials) == key == GoogleKey.of(base64.b64decode(key.credentials).decode())
    file = GeoPackage("s3://bucket/f.gpkg", keys=BucketKeys("planted-a", "planted-b"), resolution=10)
    definition = BatchDefinition(
        evalscript="//VERSION=3\n",
        time_range=SOUND["time_range"],
        geopackage=file,
        delivery=Delivery("gs://bucket/x", google_key=key),
    )
    definition.check()
    sent = definition.to_wire()
    assert sent["output"]["delivery"] == {"gs": {"url": "gs://bucket/x", "credentials": key.credentials}}
    assert sent["input"] == {
        "type": "geopackage",
        "features": {
            "s3": {"url": "s3://bucket/f.gpkg", "accessKey": "planted-a", "secretAccessKey": "planted-b"}
        },
        "defaults": {"resolution": 10},
    }
    shown = repr(definition) + json.dumps(definition.without_keys().to_wire())
    assert "planted" not in shown
    assert key.credentials not in shown


def test_a_geopackage_is_opened_like_the_delivery() -> None:
    said = {**SOUND, "tiling_grid_id": None, "resolution": None, "geopackage": "s3://other/f.gpkg"}
    said = {**said, "iam_role_arn": None, "delivery_aws_conn_id": "aws", "delivery_region": "WAW3-1"}
    opened = {"accessKey": "planted-aws", "secretAccessKey": "planted-secret", "region": "WAW3-1"}
    assert wire(said)["input"]["features"] == {"s3": {"url": "s3://other/f.gpkg", **opened}}
    said["geopackage"] = {"url": "s3://other/f.gpkg", "iam_role_arn": ROLE}
    assert wire(said)["input"]["features"] == {"s3": {"url": "s3://other/f.gpkg", "iamRoleARN": ROLE}}
    said["geopackage"] = "gs://other/f.gpkg"
    assert faults(said)[0].startswith("geopackage.gcp_conn_id: the service needs a service account")


def test_credentials_that_are_not_found_are_named_where_they_were_asked_for() -> None:
    def nobody(kind: str, name: str) -> BucketKeys:
        raise DefinitionError([Fault("x", f"no {kind} {name!r}", "Make one")])

    said = {**SOUND, "iam_role_arn": None, "delivery_aws_conn_id": "one"}
    said |= {"tiling_grid_id": None, "resolution": None}
    said["geopackage"] = {"url": "s3://b-b/f.gpkg", "aws_conn_id": "two"}
    definition = BatchDefinition.read(said, look_up=nobody)
    assert [str(fault) for fault in definition.faults()] == [
        "delivery_aws_conn_id: no aws 'one'. Make one",
        "geopackage.aws_conn_id: no aws 'two'. Make one",
    ]


def test_the_fingerprint_does_not_depend_on_keys_and_knows_every_part() -> None:
    said = {**SOUND, "iam_role_arn": None, "delivery_aws_conn_id": "one"}
    other = {**said, "delivery_aws_conn_id": "two"}
    marks = [
        Fingerprint.of({}, BatchDefinition.read(one, look_up=look_up).without_keys().to_wire())
        for one in (said, other, {**said, "processing": {"upsampling": "BICUBIC"}})
    ]
    assert marks[0] == marks[1] != marks[2]
    signed = BatchDefinition.read(said, look_up=look_up).signed(marks[0])
    assert marks[0].marks(signed.to_wire()["description"])


def test_a_delivery_of_another_kind_is_passed_on_without_its_secrets() -> None:
    content = {"azure": {"url": "az://x", "sasToken": "planted", "deep": [{"secretKey": "planted"}]}}
    definition = BatchDefinition.read(
        {**SOUND, "iam_role_arn": None, "delivery_url": None, "delivery": OtherDelivery(content)}
    )
    definition.check()
    assert definition.to_wire()["output"]["delivery"] == content
    shown = repr(definition) + json.dumps(definition.without_keys().to_wire())
    assert "az://x" in shown
    assert "planted" not in shown


def test_no_wire_form_of_what_cannot_work() -> None:
    with pytest.raises(DefinitionError, match="resolution: is missing"):
        BatchDefinition.read({**SOUND, "resolution": None}).to_wire()


JUNK: tuple[Any, ...] = (
    7,
    1.5,
    True,
    "x",
    "{",
    "[1]",
    [],
    [1],
    [[]],
    {},
    {"a": 1},
    {"url": 7},
    b"x",
    object(),
)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_too_strange_to_be_named(name: str) -> None:
    """Whatever stands under a name, there are faults or a wire form, and no other error."""
    for junk in JUNK:
        definition = BatchDefinition.read({**SOUND, name: junk}, look_up=look_up)
        if not list(definition.faults(GRIDS)):
            json.dumps(definition.to_wire())


@pytest.mark.parametrize("part", ["input", "bounds", "data", "dataFilter", "output", "responses", "format"])
def test_no_process_request_is_too_strange(part: str) -> None:
    for junk in (*JUNK, None):
        request: dict[str, Any] = {
            "evalscript": "//VERSION=3",
            "input": {
                "bounds": {"bbox": [14, 45, 15, 46]},
                "data": [{"type": "modis", "dataFilter": {}}],
            },
            "output": {"responses": [{"identifier": "a", "format": {"type": "image/tiff"}}]},
        }
        places = {
            "input": request,
            "bounds": request["input"],
            "data": request["input"],
            "dataFilter": request["input"]["data"][0],
            "output": request,
            "responses": request["output"],
            "format": request["output"]["responses"][0],
        }
        places[part][part] = junk
        definition = BatchDefinition.read(request, {name: SOUND[name] for name in list(SOUND)[2:]})
        list(definition.faults(GRIDS))
