"""``python -m airflow_provider_sentinelhub.sandbox``."""

from __future__ import annotations

import sys

from airflow_provider_sentinelhub.sandbox.cli import main

# Worker processes import this module under another name and must not start a second sandbox.
if __name__ == "__main__":
    sys.exit(main())
