# Two commands matter: `make demo` and `make test`. Both set up everything they need in .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9

.DEFAULT_GOAL := help

.PHONY: help
help:
	@echo "make demo       a local Sentinel Hub, the NDVI Dag on it, a table and a picture"
	@echo "make test       every check and test"
	@echo "make sandbox    a local Sentinel Hub in the foreground"
	@echo "make trials     kill what can be killed in a running Airflow, many times (an hour and more)"
	@echo "make budgets    a hundred runs at once against one budget, in a running Airflow (some minutes)"
	@echo "make prices     hold estimated prices against what the sandbox bills (10 minutes and more)"
	@echo "make lint       ruff and mypy only"
	@echo "make lock       resolve the pinned versions in constraints.txt anew"

# The file stands for a virtual environment that matches what it was made from.
$(VENV)/ready: pyproject.toml constraints.txt
	@echo "==> Setting up $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv==$(UV_VERSION)"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt \
		--editable '.[sandbox,evalscript]' --group dev
	@touch $@

.PHONY: demo
demo: $(VENV)/ready
	@$(BIN)/python -m demo

.PHONY: sandbox
sandbox: $(VENV)/ready
	@$(BIN)/python -m airflow_provider_sentinelhub.sandbox

.PHONY: lint
lint: $(VENV)/ready
	@echo "==> ruff, mypy and the compose schema"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yaml

.PHONY: test
test: lint
	@echo "==> pytest"
	@$(BIN)/pytest --numprocesses 2 --dist loadfile

.PHONY: trials
trials: $(VENV)/ready
	@$(BIN)/python tests/random_faults.py --runs 500
	@$(BIN)/python tests/trials/run_trials.py --count 20

.PHONY: budgets
budgets: $(VENV)/ready
	@$(BIN)/python tests/trials/budgets.py

.PHONY: prices
prices: $(VENV)/ready
	@$(BIN)/python tests/trials/prices.py --count 200 --plot docs/images/prices.svg

.PHONY: lock
lock: $(VENV)/ready
	@$(BIN)/uv pip compile --quiet --universal --upgrade --all-extras --group pyproject.toml:dev \
		--python-version 3.10 --no-header --no-annotate --output-file constraints.txt pyproject.toml
