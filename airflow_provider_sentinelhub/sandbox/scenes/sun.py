"""The angles under which the sun shines and the satellite looks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from airflow_provider_sentinelhub.sandbox.scenes.orbits import Pass

ANGLES = ("sunAzimuthAngles", "sunZenithAngles", "viewAzimuthMean", "viewZenithMean")
_ORBIT_HEIGHT = 786_000.0


def angles(band: str, orbit: Pass, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return one of `ANGLES` in degrees, azimuths clockwise from north."""
    if band.startswith("sun"):
        zenith, azimuth = sun_position(orbit.node_time, orbit.seconds_to_node(lat), lon, lat)
        angle = azimuth if "Azimuth" in band else zenith
    elif "Azimuth" in band:  # towards the satellite, which flies to the south-south-west
        angle = np.where(orbit.across(lon, lat) > 0, 284.0, 104.0)
    else:
        angle = np.degrees(np.arctan(np.abs(orbit.across(lon, lat)) / _ORBIT_HEIGHT))
    return np.asarray(angle, np.float32)


def sun_position(
    moment: datetime, seconds_before: NDArray[np.float64], lon: NDArray[np.float64], lat: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return zenith distance and azimuth of the sun in degrees, good to half a degree.

    :param seconds_before: the moment, by position
    """
    year = (moment.timetuple().tm_yday - 1) / 365.25 * 2 * math.pi
    # Spencer's series for declination (radians) and equation of time (minutes).
    declination = 0.006918 - 0.399912 * math.cos(year) + 0.070257 * math.sin(year)
    declination += 0.000907 * math.sin(2 * year) - 0.006758 * math.cos(2 * year)
    equation = 0.000075 + 0.001868 * math.cos(year) - 0.032077 * math.sin(year)
    equation = 229.18 * (equation - 0.014615 * math.cos(2 * year) - 0.040849 * math.sin(2 * year))
    minutes = moment.hour * 60 + moment.minute + (moment.second - seconds_before) / 60 + equation + 4 * lon
    hour_angle = np.radians(minutes / 4 - 180)
    phi = np.radians(lat)
    sine, cosine = math.sin(declination), math.cos(declination)
    up = np.sin(phi) * sine + np.cos(phi) * cosine * np.cos(hour_angle)
    east = -cosine * np.sin(hour_angle)
    north = np.cos(phi) * sine - np.sin(phi) * cosine * np.cos(hour_angle)
    return np.degrees(np.arccos(np.clip(up, -1, 1))), np.degrees(np.arctan2(east, north)) % 360
