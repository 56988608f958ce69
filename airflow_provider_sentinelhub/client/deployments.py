"""Where Sentinel Hub runs, and who is calling."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from airflow_provider_sentinelhub.client.errors import DefinitionError, Fault

PathScheme = Literal["new", "old"]

_BATCH_PATHS: dict[PathScheme, str] = {"new": "/batch/v2", "old": "/api/v2/batch"}
_PROCESS_PATHS: dict[PathScheme, str] = {"new": "/process/v1", "old": "/api/v1/process"}
_CATALOG_PATHS: dict[PathScheme, str] = {"new": "/catalog/v1", "old": "/api/v1/catalog/1.0.0"}
_PLANET_TOKEN_URL = "https://services.sentinel-hub.com/auth/realms/main/protocol/openid-connect/token"  # noqa: S105


@dataclass(frozen=True)
class Deployment:
    """One Sentinel Hub: its API, its token endpoint, and the scheme of its paths.

    ``path_scheme`` is ``new`` (``/batch/v2``, since March 2026) or ``old`` (``/api/v2/batch``).
    ``dashboard_url`` is the page on which a person finds the account's requests, where there is one.
    """

    name: str
    base_url: str
    token_url: str
    path_scheme: PathScheme = "new"
    dashboard_url: str | None = None

    @property
    def batch_url(self) -> str:
        """Base of all Batch V2 endpoints."""
        return self.base_url.rstrip("/") + _BATCH_PATHS[self.path_scheme]

    @property
    def process_url(self) -> str:
        """The Process API's only endpoint."""
        return self.base_url.rstrip("/") + _PROCESS_PATHS[self.path_scheme]

    @property
    def catalog_url(self) -> str:
        """Base of all Catalog endpoints."""
        return self.base_url.rstrip("/") + _CATALOG_PATHS[self.path_scheme]


@dataclass(frozen=True)
class Credentials:
    """An OAuth client (client-credentials grant)."""

    client_id: str
    client_secret: str = field(repr=False)


DEPLOYMENTS: dict[str, Deployment] = {
    deployment.name: deployment
    for deployment in (
        Deployment(
            "aws-eu",
            "https://services.sentinel-hub.com",
            _PLANET_TOKEN_URL,
            dashboard_url="https://apps.sentinel-hub.com/dashboard/",
        ),
        # The token endpoint is the same host for both AWS regions.
        Deployment(
            "aws-us-west",
            "https://services-uswest2.sentinel-hub.com",
            _PLANET_TOKEN_URL,
            dashboard_url="https://apps.sentinel-hub.com/dashboard/",
        ),
        Deployment(
            "cdse",
            "https://sh.dataspace.copernicus.eu",
            "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token",
            dashboard_url="https://shapps.dataspace.copernicus.eu/dashboard/",
        ),
    )
}
CUSTOM = "custom"
DEPLOYMENT_NAMES = (*DEPLOYMENTS, CUSTOM)


def deployment(
    name: str | None,
    *,
    base_url: str | None = None,
    token_url: str | None = None,
    path_scheme: str | None = None,
) -> Deployment:
    """Find a deployment by name.

    ``base_url`` and ``token_url`` are needed for ``custom``; elsewhere they take the place of the known ones.
    Raises `DefinitionError` that names every fault.
    """
    faults = []
    name = name or (CUSTOM if base_url else "aws-eu")
    found = DEPLOYMENTS.get(name)
    if name not in DEPLOYMENT_NAMES:
        faults.append(
            Fault("deployment", f"{name!r} is not known", f"Choose one of {', '.join(DEPLOYMENT_NAMES)}")
        )
    if name == CUSTOM:
        found = Deployment(CUSTOM, base_url or "", token_url or "")
    for field_name, url in (("base_url", base_url), ("token_url", token_url)):
        if url and not url.startswith(("http://", "https://")):
            faults.append(Fault(field_name, f"{url!r} is not a URL", "Give one that begins with https://"))
        if not url and name == CUSTOM:
            faults.append(Fault(field_name, "is missing", "A custom deployment needs base_url and token_url"))
    if path_scheme not in (None, "", "new", "old"):
        faults.append(Fault("path_scheme", f"{path_scheme!r} is not known", "Choose new or old"))
    if faults or found is None:
        raise DefinitionError(faults, subject="connection")
    return replace(
        found,
        base_url=(base_url or found.base_url).rstrip("/"),
        token_url=token_url or found.token_url,
        path_scheme="old" if path_scheme == "old" else "new",
    )
