"""Makes the table in ``client/evalscript/bands.py`` of what the vendor's own Python package knows.

``python tests/client/evalscript/band_table.py`` prints it; a test says when it is out of date.
"""

from __future__ import annotations

import textwrap

_WIDTH = 104


def table() -> str:
    """Return the table's text: a line for each collection and set of units, bands in the package's order."""
    from sentinelhub.data_collections import DataCollection

    units: dict[str, dict[str, str]] = {}
    for kind in ("bands", "metabands"):
        for collection in DataCollection:
            # The variants of a collection (Sentinel-1's modes) have different bands, but the same units.
            for band in getattr(collection.value, kind) or ():
                offered = "/".join(unit.value for unit in band.units)
                assert units.setdefault(collection.api_id, {}).setdefault(band.name, offered) == offered, band
    lines = []
    for name in sorted(units):
        lines.append(f"{name}:")
        for offered in dict.fromkeys(units[name].values()):
            bands_of_unit = [band for band, unit in units[name].items() if unit == offered]
            text = f"{offered} = {' '.join(bands_of_unit)}"
            lines += textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="    ")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(), end="")
