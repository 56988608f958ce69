"""When Sentinel-2 passes where: two satellites on a repeating sun-synchronous orbit, seen as fixed swaths.

The figures are the real ones: 143 orbits in 10 days, the second satellite 5 days behind, descending node at
10:30 mean local solar time, 290 km swath, 98.62° inclination. The tracks are pinned to relative orbit 22
passing Slovenia on 1 December 2020 at 10:08, as a documented product did, so dates come out close to the real
archive's. A place lies in a swath or does not, whatever tile it is looked at from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from airflow_provider_sentinelhub.sandbox.scenes.lattice import EARTH_RADIUS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

FIRST_DAY = datetime(2015, 7, 4, tzinfo=timezone.utc)  # no scenes before
_SATELLITES = (  # days behind the first one, start of operation
    (0, FIRST_DAY),
    (5, datetime(2017, 7, 1, tzinfo=timezone.utc)),
)
_ORBITS = 143
_CYCLE = timedelta(days=10)
_PERIOD = _CYCLE / _ORBITS
_DEGREES_PER_ORBIT = 360.0 * 10 / _ORBITS  # westwards
_INCLINATION = math.radians(98.62)
HALF_SWATH = 145_000.0  # metres
_EARTH_TURN = _PERIOD / timedelta(days=1)  # turns of the earth per orbit

# Relative orbit 22 of the first satellite crosses the equator southwards here and then.
_ANCHOR_ORBIT = 22
_ANCHOR_TIME = datetime(2020, 12, 1, 10, 21, tzinfo=timezone.utc)
_ANCHOR_LONGITUDE = 2.25


@dataclass(frozen=True)
class Pass:
    """One flight of one satellite along its swath."""

    orbit: int  # relative: 1..143
    node_time: datetime  # when it crosses the equator, UTC
    node_longitude: float

    @property
    def satellite(self) -> str:
        """The satellite: A, or B five days behind."""
        first = _ANCHOR_TIME + (self.orbit - _ANCHOR_ORBIT) * _PERIOD
        return "AB"[round((self.node_time - first) / timedelta(days=5)) % 2]

    @staticmethod
    def seconds_to_node(lat: NDArray[Any]) -> NDArray[np.float64]:
        """Return how long before the equator the satellite passes latitudes."""
        return _before_node(np.radians(lat)) / (2 * math.pi) * _PERIOD.total_seconds()

    def time_at(self, latitude: float) -> datetime:
        """Return when the satellite passes a latitude, to the second."""
        seconds = float(self.seconds_to_node(np.array(latitude)))
        return (self.node_time - timedelta(seconds=seconds)).replace(microsecond=0)

    def across(self, lon: NDArray[Any], lat: NDArray[Any]) -> NDArray[np.float64]:
        """Return the distance in metres from the ground track, positive to the east."""
        return _across(self.node_longitude, lon, lat)

    def inside(self, lon: NDArray[Any], lat: NDArray[Any]) -> NDArray[np.float32]:
        """Return the distance in metres to the nearer edge of the swath, positive inside."""
        return np.round(HALF_SWATH - np.abs(self.across(lon, lat)), 1).astype(np.float32)


def _track(orbit: int) -> Pass:
    """Return a pass of the first satellite on that relative orbit."""
    ahead = orbit - _ANCHOR_ORBIT
    return Pass(orbit, _ANCHOR_TIME + ahead * _PERIOD, _ANCHOR_LONGITUDE - ahead * _DEGREES_PER_ORBIT)


TRACKS = [_track(orbit) for orbit in range(1, _ORBITS + 1)]
"""One pass of the first satellite on each relative orbit."""
_NODE_LONGITUDES = np.array([track.node_longitude for track in TRACKS])


def passes(start: datetime, end: datetime, lon: NDArray[Any], lat: NDArray[Any]) -> list[Pass]:
    """Return the passes that see one of some positions, most recent first.

    :param start, end: of the time, give or take five minutes
    :param lon, lat: degrees, 2-D arrays over a tile
    """
    slack = timedelta(minutes=5)
    middle = float(lat[lat.shape[0] // 2, 0])
    found = []
    for track in _near(lon, lat):
        if not (track.inside(lon, lat) > 0).any():
            continue
        for days_behind, operational in _SATELLITES:
            earliest = max(start, operational)
            node_time = track.node_time + timedelta(days=days_behind)
            node_time += math.floor((earliest - node_time) / _CYCLE) * _CYCLE
            while node_time <= end + timedelta(hours=1):
                one = Pass(track.orbit, node_time, track.node_longitude)
                if earliest - slack <= one.time_at(middle) <= end + slack:
                    found.append(one)
                node_time += _CYCLE
    return sorted(found, key=lambda one: one.node_time, reverse=True)


def _near(lon: NDArray[Any], lat: NDArray[Any]) -> list[Pass]:
    """Rule out most orbits by the position in the middle alone, all at once: small tiles are many."""
    row, column = lat.shape[0] // 2, lat.shape[1] // 2
    degrees = np.abs(lat - lat[row, column]).max()
    degrees += np.abs((lon - lon[row, column] + 180) % 360 - 180).max()
    away = np.abs(_across(_NODE_LONGITUDES, lon[row, column], lat[row, column]))
    near = away < HALF_SWATH + 2 * math.radians(degrees) * EARTH_RADIUS + 50_000
    return [TRACKS[index] for index in np.flatnonzero(near)]


def _across(node_longitude: Any, lon: NDArray[Any], lat: NDArray[Any]) -> NDArray[np.float64]:
    """Return the distance in metres from the ground track of a node, positive to the east."""
    phi = np.radians(lat)
    node = _before_node(phi)
    turned = node / (2 * math.pi) * 360 * _EARTH_TURN
    away = (lon - node_longitude - np.degrees(_inertial(node)) - turned + 180) % 360 - 180
    # Eastwards to across the track, which leans away from the meridian.
    step = 1e-4
    lean = (_inertial(node + step) - _inertial(node - step)) / (2 * step) + _EARTH_TURN
    eastwards = np.radians(away) * np.cos(phi) * EARTH_RADIUS
    metres: NDArray[np.float64] = eastwards / np.sqrt(1 + (lean * np.cos(phi)) ** 2)
    return metres


def passes_near(track: Pass, moment: datetime, within: timedelta) -> Iterator[Pass]:
    """Yield the passes along a track whose equator crossing is at most so far from a moment, 2 days at most.

    :param track: one of `TRACKS`
    """
    for days_behind, operational in _SATELLITES:
        first = track.node_time + timedelta(days=days_behind)
        nearest = first + round((moment - first) / _CYCLE) * _CYCLE
        if abs(nearest - moment) <= within and nearest >= operational:
            yield Pass(track.orbit, nearest, track.node_longitude)


def _before_node(phi: NDArray[Any]) -> NDArray[np.float64]:
    """Angle along the orbit from latitudes to the descending node, radians."""
    angle: NDArray[np.float64] = np.arcsin(np.clip(np.sin(phi) / math.sin(_INCLINATION), -0.999, 0.999))
    return angle


def _inertial(node: NDArray[np.float64]) -> NDArray[np.float64]:
    """Longitude east of the node on an earth that stands still, radians, at angles before the node."""
    return np.arctan(-math.cos(_INCLINATION) * np.tan(node))
