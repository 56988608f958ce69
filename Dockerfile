# Airflow with this provider, and the sandbox: one image for both services of docker-compose.yaml.
FROM apache/airflow:3.3.2-python3.11

USER root
RUN mkdir /data && chown airflow:0 /data
USER airflow

COPY --chown=airflow:0 pyproject.toml constraints.txt README.md LICENSE /opt/provider/
COPY --chown=airflow:0 airflow_provider_sentinelhub /opt/provider/airflow_provider_sentinelhub
RUN pip install --no-cache-dir --constraint /opt/provider/constraints.txt '/opt/provider[sandbox,evalscript]'
