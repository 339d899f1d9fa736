# medallion: `make demo` shows it, `make test` tests it, `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# uv from the PATH, or one of the project's own that `.uv/` holds.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --frozen --all-extras
PYTHON ?= python3
PYTHON_3_13 ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.13.*/bin/python) 3.13)
# BigQuery's stand-in needs 3.13 or later, in an environment of its own.
STANDINS_PYTHON ?= $(PYTHON_3_13)

export KEDRO_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false

.PHONY: help setup demo demo-cloud standins test test-faults test-3.13 coverage check format bench bench-cloud viz clean

help: ## List the commands
	@grep -hE '^[a-z0-9.-]+:.*## ' $(MAKEFILE_LIST) | \
		sed -E 's/^([a-z0-9.-]+):.*## /  make \1\t/' | expand -t 18

setup: .venv/.synced ## Make the environment in .venv (uv comes along if it is absent)

.venv/.synced: uv.lock pyproject.toml | uv
	@echo "Installing what uv.lock lists into .venv/ (about 1 GB; minutes the first time) ..."
	$(UV) sync --frozen --all-extras --quiet --compile-bytecode
	@touch $@

.PHONY: uv
uv:
	@command -v $(UV) >/dev/null 2>&1 || { \
		echo "uv is absent: putting one into .uv/"; \
		$(PYTHON) -m venv .uv && .uv/bin/python -m pip install --quiet uv; }

demo: setup ## A week of sample Bronze, with defects in it, to Gold in a local DuckDB file
	@if [ -z "$$(ls -A data/bronze 2>/dev/null)" ]; then \
		$(RUN) kedro bronze generate --days 7 --orders-per-day 300 --seed 1 --defects \
			--output data/bronze; fi
	$(RUN) kedro run

demo-cloud: setup standins ## The same on Google Cloud, played by stand-ins here: publish, load, Gold, roll back
	$(RUN) python -m tests.standins.demo_cloud

standins: .standins/.synced ## Make the environment of the stand-ins for Google Cloud that tests use

.standins/.synced: tests/standins/requirements.txt | uv
	$(UV) venv --quiet --clear --python $(STANDINS_PYTHON) .standins
	$(UV) pip install --quiet --compile-bytecode --python .standins/bin/python -r tests/standins/requirements.txt
	@touch $@

test: setup standins ## Run all tests
	$(RUN) pytest -n 2 -m ""

test-faults: setup ## Run the bad inputs that take a whole run each
	$(RUN) pytest -n 2 -m faults

# The environment is a second one, so that the default one stays as it is.
test-3.13: standins ## Run the fast tests on Python 3.13, in .venv-3.13
	UV_PROJECT_ENVIRONMENT=.venv-3.13 $(RUN) --python $(PYTHON_3_13) pytest -n 2 $(ARGS)

coverage: setup standins ## Run all tests and fail if they reach too little of the code
	$(RUN) pytest -n 2 -m "" --cov --cov-report=term-missing $(ARGS)

check: setup ## Format, lint, types, layer contracts, SQL: what CI checks
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) lint-imports
	$(RUN) sqlfluff lint dbt/models dbt/tests/gold --disable-progress-bar

format: setup ## Format the code
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

bench: setup ## Time the whole pipeline on 0.1 M, 1 M and 10 M rows beside a plain script
	$(RUN) python benchmarks/run.py $(ARGS)

bench-cloud: setup standins ## Count and time what publishing to a bucket costs, on a stand-in
	$(RUN) python benchmarks/cloud.py $(ARGS)

viz: setup ## Open the graph in the browser (kedro-viz)
	$(RUN) kedro viz run

# What macOS has goes by another name.
SHA256 := $(shell command -v sha256sum || echo shasum -a 256)

clean: ## Remove what runs have written, and the sample Bronze; your own Bronze stays
	@if [ -f data/bronze/_SAMPLE ]; then \
		while IFS= read -r line; do \
			if echo "$$line" | (cd data/bronze && $(SHA256) --check --status 2>/dev/null); \
			then rm -f "data/bronze/$${line#*  }"; fi; done < data/bronze/_SAMPLE; \
		rm -f data/bronze/_SAMPLE data/bronze/_planted.json; \
		find data/bronze -depth -type d -empty -delete; fi
	@if [ -e data/bronze ]; then echo "data/bronze: what was not generated stays."; fi
	rm -rf data/silver data/warehouse data/metrics data/reports data/logs data/runs data/cache data/dbt dbt/target dbt/logs
