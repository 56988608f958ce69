"""A local Sentinel Hub: Batch Processing V2 over HTTP, real evalscripts, a real S3 bucket, faults on demand.

Run it with ``sentinelhub-sandbox`` or ``python -m airflow_provider_sentinelhub.sandbox``. It shares no code
with the rest of the package, so that a misreading of the API cannot be right on both sides.
"""
