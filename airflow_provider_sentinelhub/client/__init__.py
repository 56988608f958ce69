"""A client of Sentinel Hub Batch Processing V2 that has never heard of Airflow; usable in a notebook."""
