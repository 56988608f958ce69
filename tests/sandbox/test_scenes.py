"""The synthetic archive: seams, seasons, swaths, and what each band holds."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from pyproj import Transformer

from airflow_provider_sentinelhub.sandbox.scenes import Grid, Lattice, Reader, grouped, ordered, search
from airflow_provider_sentinelhub.sandbox.scenes import landscape as ground
from airflow_provider_sentinelhub.sandbox.scenes.granules import Granule
from airflow_provider_sentinelhub.sandbox.scenes.landscape import Landscape
from airflow_provider_sentinelhub.sandbox.scenes.sun import sun_position

UTC = timezone.utc
L1C, L2A = "sentinel-2-l1c", "sentinel-2-l2a"
JULY = (datetime(2020, 7, 1, tzinfo=UTC), datetime(2020, 7, 30, 23, 59, 59, tzinfo=UTC))
BANDS = ["B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"]
ALL_BANDS = {
    **dict.fromkeys([*BANDS, "CLM", "CLP"], "DN"),
    **dict.fromkeys(["sunAzimuthAngles", "sunZenithAngles", "viewAzimuthMean", "viewZenithMean"], "DEGREES"),
}
Bounds = tuple[float, float, float, float]


class Tile:
    """A tile that reads itself, block by block if asked to."""

    def __init__(
        self,
        bounds: Bounds,
        size: tuple[int, int],
        epsg: int = 32611,
        bands: dict[str, str] = ALL_BANDS,
        processing: dict[str, Any] | None = None,
    ) -> None:
        resolution = (bounds[2] - bounds[0]) / size[0]
        self.grid = Grid.of_tile(epsg, bounds, *size)
        self.lattice = Lattice(epsg, bounds, resolution)
        self.reader = Reader(self.lattice, bands, processing or {}, resolution)

    def products(
        self, collection: str = L1C, period: tuple[datetime, datetime] = JULY, **options: Any
    ) -> list[Any]:
        return search(self.lattice, collection, *period, **options)

    def read(self, products: list[Any], rows: slice = slice(None)) -> dict[str, np.ndarray[Any, Any]]:
        return self.reader.block(self.grid.rows(rows)).read(products, None)[0]


def valley(**options: Any) -> Tile:
    """Fields, a river and a town in California: 5 km within one granule."""
    return Tile((292_000, 3_982_000, 297_000, 3_987_000), (500, 500), **options)


# --- seams ---


@pytest.mark.parametrize(
    ("epsg", "origin", "size", "pixels", "buffer"),
    [
        (32611, (290_000, 3_980_000), 5_000, 500, 50),
        (32611, (290_000, 3_980_000), 10_000, 500, 25),
        (32611, (280_000, 3_900_000), 100_080, 278, 5),
        (32733, (600_000, 6_240_000), 5_000, 250, 10),
        (3857, (-13_280_000, 4_300_000), 10_000, 400, 10),
        (3035, (4_300_000, 2_700_000), 20_000, 500, 20),
        (4326, (-119.3, 36.0), 0.1, 500, 10),
    ],
)
@pytest.mark.parametrize("upsampling", ["NEAREST", "BILINEAR", "BICUBIC"])
def test_neighbours_agree_exactly(
    epsg: int, origin: tuple[float, float], size: float, pixels: int, buffer: int, upsampling: str
) -> None:
    across = pixels + 2 * buffer

    def tile(i: int, j: int) -> dict[Any, dict[str, Any]]:
        edge = buffer * size / pixels
        west, south = origin[0] + i * size, origin[1] + j * size
        one = Tile(
            (west - edge, south - edge, west + size + edge, south + size + edge),
            (across, across),
            epsg,
            processing={"upsampling": upsampling},
        )
        days = {day[0].date.date(): day for day in grouped(one.products(), "ORBIT")}
        return {date: one.read(days[date]) for date in sorted(days)[:3]}

    here, east, north = tile(0, 0), tile(1, 0), tile(0, 1)
    common = here.keys() & east.keys() & north.keys()
    assert common
    for a, b, c in ((here[date], east[date], north[date]) for date in common):
        for band in a:
            assert np.array_equal(a[band][:, pixels:], b[band][:, : 2 * buffer]), band
            assert np.array_equal(a[band][: 2 * buffer], c[band][pixels:]), band
            assert a[band].shape == (across, across)


def test_blocks_of_rows_agree_with_the_whole() -> None:
    tile = valley(processing={"upsampling": "BILINEAR"})
    products = tile.products()
    whole = tile.read(products)
    for first in range(0, 500, 130):
        part = tile.read(products, slice(first, first + 130))
        for band in whole:
            assert np.array_equal(part[band], whole[band][first : first + 130]), band


def test_zones_agree_where_they_meet() -> None:
    def kinds(epsg: int) -> tuple[Grid, np.ndarray[Any, Any]]:
        x, y = Transformer.from_crs(4326, epsg, always_xy=True).transform(-120, 36.05)
        west, south = round(x, -3) - 2000, round(y, -3) - 2000
        tile = Tile((west, south, west + 4000, south + 4000), (400, 400), epsg)
        return tile.grid, Landscape(tile.lattice).states(tile.grid, tile.grid.grain()) // ground.LEVELS

    (here, ours), (there, theirs) = kinds(32610), kinds(32611)
    x, y = np.meshgrid(here.xs[50:-50], here.ys[50:-50])
    x, y = Transformer.from_crs(32610, 32611, always_xy=True).transform(x, y)
    columns, rows = np.rint((x - there.xs[0]) / 10).astype(int), np.rint((there.ys[0] - y) / 10).astype(int)
    inside = (columns >= 0) & (columns < 400) & (rows >= 0) & (rows < 400)
    same = ours[50:-50, 50:-50][inside] == theirs[rows[inside], columns[inside]]
    assert inside.mean() > 0.9
    assert same.mean() > 0.9  # the rest lies along edges of fields, half a pixel away


def test_a_day_always_looks_the_same() -> None:
    one, other = (valley().read(valley().products()[-1:]) for _ in range(2))
    assert all(np.array_equal(one[band], other[band]) for band in one)


# --- when, and which products ---


def test_passes_are_close_to_the_real_ones() -> None:
    # Products that the documentation lists for this area: dates to the day, times to the minute or two.
    tile = Tile((13.8, 45.8, 13.9, 45.9), (250, 250), 4326)
    period = (datetime(2020, 12, 1, tzinfo=UTC), datetime(2020, 12, 13, tzinfo=UTC))
    products = tile.products(period=period)
    seen = {(product.date.day, "".join(product.granule.name)) for product in products}
    assert seen == {(day, square) for day in (1, 4, 6, 9, 11) for square in ("33TUL", "33TVL")}
    for product in products:
        expected = (10, 18) if product.date.day in (4, 9) else (10, 8)
        assert (product.date.hour, product.date.minute) == expected
    assert products[0].path == "s3://sentinel-s2-l1c/tiles/33/T/UL/2020/12/11/0"
    assert [product.date for product in products] == sorted((p.date for p in products), reverse=True)


@pytest.mark.parametrize(
    ("epsg", "column", "row", "name"),
    [
        (32633, 5, 51, "33TWM"),
        (32611, 2, 40, "11SKA"),
        (32628, 2, 16, "28PBB"),
        (32631, 6, 58, "31UFU"),
        (32753, 5, 85, "53LNF"),
        (32736, 8, 92, "36MZT"),
    ],
)
def test_granules_have_their_real_names(epsg: int, column: int, row: int, name: str) -> None:
    assert "".join(Granule(epsg, column, row).name) == name


def test_two_satellites_come_every_five_days_one_every_ten() -> None:
    for year, days in ((2020, 5), (2016, 10)):
        period = (datetime(year, 3, 1, tzinfo=UTC), datetime(year, 6, 1, tzinfo=UTC))
        dates = sorted({product.date.date() for product in valley().products(period=period)})
        assert {after - before for before, after in pairwise(dates)} == {timedelta(days=days)}


def test_there_is_nothing_before_the_mission() -> None:
    assert not valley().products(period=(datetime(2010, 1, 1, tzinfo=UTC), datetime(2015, 7, 1, tzinfo=UTC)))


def test_both_ends_of_the_time_range_count() -> None:
    tile = valley()
    moment = tile.products()[0].date
    second = timedelta(seconds=1)
    assert tile.products(period=(moment, moment))
    assert not tile.products(period=(moment + second, moment + 60 * second))
    assert not tile.products(period=(moment - 60 * second, moment - second))


def test_swaths_overlap_and_leave_gaps_within_a_tile() -> None:
    # 100 km wide at 36° N: parts are seen by one track, parts by two.
    tile = Tile((500_000, 3_900_000, 600_080, 4_000_080), (278, 278), bands={"dataMask": "DN"})
    days = grouped(tile.products(), "ORBIT")
    shares = [float(tile.read(day)["dataMask"].mean()) for day in days]
    assert min(shares) < 0.9
    assert max(shares) > 0.99
    seen = np.sum([tile.read(day)["dataMask"] for day in days], axis=0, dtype=int)
    assert seen.max() > seen.min() >= 5


def test_cloud_cover_filters_products_as_a_whole() -> None:
    tile = valley()
    everything = tile.products()
    covers = [product.cloud_cover for product in everything]
    assert max(covers) > 50 > min(covers)
    clear = tile.products(max_cloud_coverage=50)
    assert clear == [product for product in everything if product.cloud_cover <= 50]
    assert 0 < len(clear) < len(everything)


def test_orders_of_mosaicking() -> None:
    products = valley().products()
    dates = [product.date for product in ordered(products, "mostRecent")]
    assert dates == sorted(dates, reverse=True)
    assert next(product.date for product in ordered(products, "leastRecent")) == min(dates)
    covers = [product.cloud_cover for product in ordered(products, "leastCC")]
    assert covers == sorted(covers)


def test_groups_of_mosaicking() -> None:
    tile = Tile((13.8, 45.8, 13.9, 45.9), (250, 250), 4326)
    products = tile.products()
    assert grouped(products, "SIMPLE") == [products]
    assert [scene for (scene,) in grouped(products, "TILE")] == products
    days = grouped(products, "ORBIT")
    assert len(days) == len({product.date.date() for product in products}) < len(products)
    assert all(len({product.date.date() for product in day}) == 1 for day in days)


# --- what bands hold ---


def clear_day(tile: Tile, collection: str = L2A, year: int = 2020, month: int = 7) -> dict[str, Any]:
    """Read the clearest scene of a month."""
    period = (datetime(year, month, 1, tzinfo=UTC), datetime(year, month, 28, tzinfo=UTC))
    days = grouped(tile.products(collection, period), "ORBIT")
    readings = [tile.read(day) for day in days]
    return min(readings, key=lambda bands: float(bands["CLP"].mean()))


def ndvi(bands: dict[str, Any]) -> np.ndarray[Any, Any]:
    red, infrared = bands["B04"].astype(float), bands["B08"].astype(float)
    result: np.ndarray[Any, Any] = (infrared - red) / (infrared + red)
    return result


def kinds_of(tile: Tile) -> np.ndarray[Any, Any]:
    return Landscape(tile.lattice).states(tile.grid, tile.grid.grain()) // (ground.VARIANTS * ground.LEVELS)


def test_the_valley_has_something_of_everything() -> None:
    tile = Tile((290_000, 3_980_000, 310_000, 4_000_000), (1000, 1000))
    shares = np.bincount(kinds_of(tile).ravel(), minlength=ground.KINDS) / 1e6
    fields = shares[ground.ALFALFA :].sum()
    assert 0.5 < fields < 0.9
    for kind in (ground.WATER, ground.RIVER, ground.BUILT_UP, ground.ROAD, ground.GRASSLAND, ground.ORCHARD):
        assert 0.0005 < shares[kind] < 0.3, kind
    assert 0.003 < shares[ground.CONIFERS] + shares[ground.BROADLEAVES] < 0.2


def test_water_is_dark_and_crops_are_green() -> None:
    tile = Tile(
        (290_000, 3_980_000, 310_000, 4_000_000),
        (1000, 1000),
        bands=dict.fromkeys(("B04", "B08", "CLP"), "DN"),
    )
    kinds = kinds_of(tile)
    values = ndvi(clear_day(tile))
    assert values[np.isin(kinds, (ground.WATER, ground.RIVER))].mean() < -0.1
    assert 0.5 < values[kinds == ground.ORCHARD].mean() < 0.9
    assert values[kinds == ground.FALLOW].mean() < 0.25
    assert values[kinds == ground.BUILT_UP].mean() < 0.4


def test_seasons_come_and_go() -> None:
    bands = dict.fromkeys(("B04", "B08", "CLP"), "DN")
    tile = Tile((290_000, 3_980_000, 300_000, 3_990_000), (500, 500), bands=bands)
    orchard, grass = (kinds_of(tile) == kind for kind in (ground.ORCHARD, ground.GRASSLAND))
    year = [ndvi(clear_day(tile, month=month)) for month in (1, 4, 7, 11)]
    orchards = [float(values[orchard].mean()) for values in year]
    assert orchards[2] == max(orchards) > 0.55
    assert orchards[0] == min(orchards) < 0.4
    hills = [float(values[grass].mean()) for values in year]
    assert hills[1] == max(hills) > hills[2] + 0.1  # green in spring, dry in summer
    southern = Tile((600_000, 6_240_000, 610_000, 6_250_000), (500, 500), 32733, bands=bands)
    orchard = kinds_of(southern) == ground.ORCHARD
    january, july = (ndvi(clear_day(southern, month=month))[orchard].mean() for month in (1, 7))
    assert january > july + 0.2


def test_crops_rotate() -> None:
    tile = valley(bands=dict.fromkeys(("B04", "B08", "CLP"), "DN"))
    annual = kinds_of(tile) >= ground.ROTATION
    one, other = (ndvi(clear_day(tile, year=year)) for year in (2020, 2021))
    assert np.abs(one - other)[annual].mean() > 0.2
    orchard = kinds_of(tile) == ground.ORCHARD
    assert np.abs(one - other)[orchard].mean() < 0.05


def test_the_atmosphere_makes_blue_brighter() -> None:
    tile = valley()
    product = min(tile.products(), key=lambda product: product.cloud_cover)
    top = tile.read([product])
    same_day = [other for other in tile.products(L2A) if other.date == product.date]
    surface = tile.read(same_day)
    assert top["B01"].mean() > surface["B01"].mean() + 500
    assert abs(top["B11"].mean() - surface["B11"].mean()) < 200
    assert top["B8A"].max() < 15_000


def test_clouds_are_bright_and_masked() -> None:
    bands = dict.fromkeys(("B02", "B04", "SCL", "CLM", "CLP", "CLD", "SNW", "AOT"), "DN")
    tile = Tile((290_000, 3_980_000, 310_000, 4_000_000), (1000, 1000), bands=bands)
    days = [tile.read(day) for day in grouped(tile.products(L2A), "ORBIT")]
    cloudy = max(days, key=lambda day: float(day["CLM"].mean()))
    clear = min(days, key=lambda day: float(day["CLM"].mean()))
    assert set(np.unique(cloudy["CLM"])) == {0, 1}
    assert set(np.unique(cloudy["SCL"])) == {3, 4, 5, 6, 8, 9, 10}
    thick = cloudy["SCL"] == 9
    assert thick.mean() > 0.05
    assert cloudy["B02"][thick].mean() > 4000 > 3 * clear["B02"].mean()
    assert cloudy["CLM"][thick].mean() > 0.97
    assert cloudy["CLP"][thick].mean() > 2 * cloudy["CLP"][cloudy["SCL"] == 4].mean()
    assert cloudy["CLP"][cloudy["CLM"] == 1].min() >= 102 >= cloudy["CLP"][cloudy["CLM"] == 0].max()
    shadow = cloudy["SCL"] == 3
    assert cloudy["B04"][shadow].mean() < 0.9 * clear["B04"][shadow].mean()
    assert 0 <= int(cloudy["CLD"].min()) < int(cloudy["CLD"].max()) <= 100
    assert not cloudy["SNW"].any()
    assert len(np.unique(cloudy["AOT"])) == 1


@pytest.mark.parametrize(("band", "pixels"), [("B04", 1), ("B11", 2), ("B01", 6), ("CLM", 16)])
def test_source_pixels_have_their_real_size(band: str, pixels: int) -> None:
    # From multiples of 160 m, so that blocks of source pixels start in the corner.
    tile = Tile((299_040, 3_984_000, 303_840, 3_988_800), (480, 480), bands={band: "DN"})
    values = max((tile.read([product]) for product in tile.products()), key=lambda bands: bands[band].std())[
        band
    ]
    blocks = values.reshape(480 // pixels, pixels, 480 // pixels, pixels)
    assert (blocks == blocks[:, :1, :, :1]).all()
    if pixels > 1:
        assert not (values[:, 1:] == values[:, :-1]).all()


def test_upsampling() -> None:
    def read(method: str) -> np.ndarray[Any, Any]:
        tile = valley(bands={"B11": "DN", "SCL": "DN"}, processing={"upsampling": method})
        bands = tile.read(tile.products(L2A)[-1:])
        assert set(np.unique(bands["SCL"])) <= {0, 3, 4, 5, 6, 8, 9, 10}
        return bands["B11"].astype(float)

    nearest, bilinear, bicubic = (read(method) for method in ("NEAREST", "BILINEAR", "BICUBIC"))
    # Between the centres of two 20 m pixels, a quarter of the way in: 3/4 of the one and 1/4 of the other.
    left, right = nearest[::2, 2:-2:2], nearest[::2, 4::2]
    expected = (0.75 * left + 0.25 * right)[2:-2]
    rows = 0.75 * expected + 0.25 * (0.75 * nearest[2:-6:2, 2:-2:2] + 0.25 * nearest[2:-6:2, 4::2])
    assert np.allclose(bilinear[4:-4:2, 3:-2:2], rows, atol=0.01)
    assert 0 < np.abs(bicubic - bilinear).mean() < np.abs(nearest - bilinear).mean()
    assert bilinear.max() <= nearest.max()
    assert bicubic.max() > nearest.max()  # overshoots


def test_harmonised_values() -> None:
    def read(year: int, unit: str, *, harmonize: bool) -> np.ndarray[Any, Any]:
        tile = valley(bands={"B04": unit}, processing={"harmonizeValues": harmonize})
        period = (datetime(year, 7, 1, tzinfo=UTC), datetime(year, 7, 28, tzinfo=UTC))
        return tile.read(tile.products(L1C, period)[-1:])["B04"].astype(int)

    assert np.array_equal(read(2023, "DN", harmonize=False), read(2023, "DN", harmonize=True) + 1000)
    assert np.array_equal(read(2020, "DN", harmonize=False), read(2020, "DN", harmonize=True))
    assert np.array_equal(
        read(2023, "REFLECTANCE", harmonize=False), read(2023, "REFLECTANCE", harmonize=True)
    )


def test_scales_to_units() -> None:
    tile = valley(bands={"B04": "REFLECTANCE", "B08": "DN", "AOT": "OPTICAL_DEPTH", "CLD": "PERCENT"})
    assert tile.reader.scales() == {"B04": 0.0001, "B08": 1.0, "AOT": 0.001, "CLD": 1.0}


def test_angles() -> None:
    tile = valley()
    bands = tile.read(tile.products()[:1])
    assert 18 < bands["sunZenithAngles"].mean() < 30
    assert 105 < bands["sunAzimuthAngles"].mean() < 140
    assert 0 <= bands["viewZenithMean"].mean() < 12
    assert len(np.unique(bands["sunZenithAngles"])) <= 4  # pixels of 5 km


def test_the_sun_is_where_it_should_be() -> None:
    # At the equinox at solar noon it stands over the equator; at the solstice over the tropic.
    lat, zero = np.array([0.0, 45.0]), np.zeros(2)
    zenith, azimuth = sun_position(datetime(2020, 3, 20, 12, 7, tzinfo=UTC), zero, zero, lat)
    assert zenith == pytest.approx([0, 45], abs=0.6)
    assert azimuth[1] == pytest.approx(180, abs=1)
    zenith, _ = sun_position(datetime(2020, 6, 21, 12, 2, tzinfo=UTC), zero, zero, np.array([23.44, 45.0]))
    assert zenith == pytest.approx([0, 21.56], abs=0.6)


def test_outside_of_all_products_bands_are_zero() -> None:
    tile = valley()
    block = tile.reader.block(tile.grid)
    bands, covered = block.read([], None)
    assert covered == 0
    assert not any(values.any() for values in bands.values())
    area = np.zeros(tile.grid.shape, bool)
    area[100:200, 100:200] = True
    bands, covered = block.read(tile.products()[-1:], area)
    assert covered == 250_000
    assert int(bands["dataMask"].sum()) == 10_000
    assert all(not values[~area].any() for values in bands.values())
    assert bands["B04"][area].all()
