"""Apache Airflow provider for Sentinel Hub Batch Processing V2."""

# Airflow's provider discovery imports this module in every process, before Airflow is configured:
# it holds the version and the metadata and imports nothing.

from __future__ import annotations

__version__ = "0.1.0"

_INTEGRATION = "Sentinel Hub"
_PACKAGE = "airflow_provider_sentinelhub"


def get_provider_info() -> dict[str, object]:
    """Return the metadata that Airflow's provider discovery reads."""
    text = ["string", "null"]
    return {
        "package-name": "airflow-provider-sentinelhub",
        "name": "Sentinel Hub",
        "description": "Sentinel Hub Batch Processing V2: satellite imagery over large areas, paid once.",
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://docs.planet.com/develop/apis/batch-processing/",
                "tags": ["service"],
            }
        ],
        "operators": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [
                    f"{_PACKAGE}.operators.approval",
                    f"{_PACKAGE}.operators.base",
                    f"{_PACKAGE}.operators.batch",
                    f"{_PACKAGE}.operators.budget",
                    f"{_PACKAGE}.operators.definition",
                    f"{_PACKAGE}.operators.delivering",
                    f"{_PACKAGE}.operators.life",
                    f"{_PACKAGE}.operators.paying",
                    f"{_PACKAGE}.operators.process",
                    f"{_PACKAGE}.operators.repair",
                    f"{_PACKAGE}.operators.selection",
                    f"{_PACKAGE}.operators.steps",
                ],
            }
        ],
        "sensors": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [
                    f"{_PACKAGE}.sensors.base",
                    f"{_PACKAGE}.sensors.batch",
                    f"{_PACKAGE}.sensors.catalog",
                    f"{_PACKAGE}.sensors.tiles",
                ],
            }
        ],
        "hooks": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [f"{_PACKAGE}.hooks.sentinelhub"],
            }
        ],
        "triggers": [
            {
                "integration-name": _INTEGRATION,
                "python-modules": [f"{_PACKAGE}.triggers.batch", f"{_PACKAGE}.triggers.catalog"],
            }
        ],
        "connection-types": [
            {
                "connection-type": "sentinelhub",
                "hook-name": "Sentinel Hub",
                "hook-class-name": f"{_PACKAGE}.hooks.sentinelhub.SentinelHubHook",
                "ui-field-behaviour": {
                    "hidden-fields": ["host", "port", "schema"],
                    "relabeling": {"login": "OAuth client id", "password": "OAuth client secret"},
                },
                "conn-fields": {
                    "deployment": {
                        "label": "Deployment",
                        "description": "Where the OAuth client lives; custom needs the two URLs below.",
                        "schema": {
                            "type": text,
                            "enum": ["aws-eu", "aws-us-west", "cdse", "custom"],
                            "default": "aws-eu",
                        },
                    },
                    "base_url": {
                        "label": "Base URL",
                        "description": "Of a custom deployment; http://127.0.0.1:8642 is the sandbox's.",
                        "schema": {"type": text, "format": "url"},
                    },
                    "token_url": {
                        "label": "Token URL",
                        "description": "Of a custom deployment: its OAuth token endpoint.",
                        "schema": {"type": text, "format": "url"},
                    },
                    "path_scheme": {
                        "label": "Path scheme",
                        "description": "new is /batch/v2 (since March 2026), old is /api/v2/batch.",
                        "schema": {"type": text, "enum": ["new", "old"], "default": "new"},
                    },
                },
            }
        ],
        "extra-links": [f"{_PACKAGE}.links.SentinelHubDashboardLink"],
    }
