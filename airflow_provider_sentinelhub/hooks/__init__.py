"""Hooks: they turn an Airflow connection into a client or a bucket, and do nothing else."""
