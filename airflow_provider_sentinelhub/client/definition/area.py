"""An area together with how it is to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.client.areas import Area
from airflow_provider_sentinelhub.client.definition.rules import Choice, Number
from airflow_provider_sentinelhub.client.errors import DefinitionError

if TYPE_CHECKING:
    from airflow_provider_sentinelhub.client.errors import Fault
    from airflow_provider_sentinelhub.client.opening import Opener


def area_of(
    area: Any,
    faults: list[Fault],
    *,
    area_crs: Any,
    invalid_area: Any,
    area_tolerance: Any,
    opener: Opener | None = None,
) -> Area | None:
    """Read an area; None where ``faults`` say what is wrong with it or with how it is to be read."""
    if isinstance(area, Area):
        return area
    before = len(faults)
    invalid = Choice(("refuse", "repair"))(invalid_area, "invalid_area", faults)
    tolerance = area_tolerance
    if tolerance is not None:
        tolerance = Number(above=0)(tolerance, "area_tolerance", faults)
    how: dict[str, Any] = {} if len(faults) > before else {"invalid": invalid, "tolerance_m": tolerance}
    try:
        found = Area.read(area, crs=area_crs, opener=opener, **how)
    except DefinitionError as error:
        faults.extend(error.faults)
        return None
    return found if how else None
