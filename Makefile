# `make help` lists the targets. Each one sets up .venv first when it has to.

PYTEST_WORKERS ?= 2
PYTEST_ARGS ?=
BENCH_ARGS ?=
# the demonstration is of mid-October, whenever it is run
DEMO_AS_OF ?= 2026-10-15T06:00:00Z

READY := .venv/.ready
PY := .venv/bin/python

# Libraries neither call home nor draw progress bars, and every engine takes its time zones from the locked tzdata.
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DO_NOT_TRACK := 1
export GX_ANALYTICS_ENABLED := false
export PYTHONTZPATH :=
export TQDM_DISABLE := 1
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast bench lint fmt ui lock setup clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## bill the demonstration book of seeds/demo into build/demo
	METERHOUSE_HOME=build/demo .venv/bin/meterhouse close --book seeds/demo --as-of $(DEMO_AS_OF) \
		--warehouse build/demo/warehouse.duckdb --out build/demo/documents

test: $(READY) ## run every test
	$(PY) -m pytest -n $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-fast: $(READY) ## run the tests that are not marked slow
	$(PY) -m pytest -n $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder -m "not slow" $(PYTEST_ARGS)

bench: $(READY) ## measure speed and memory against the reference SQL
	$(PY) tests/benchmarks/run.py $(BENCH_ARGS)

lint: $(READY) ## check format, style and types of Python and SQL
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	$(PY) -m sqlfluff lint --processes 2 --disable-progress-bar dbt_project

fmt: $(READY) ## put Python and SQL into the house format
	$(PY) -m ruff check --fix-only
	$(PY) -m ruff format
	$(PY) -m sqlfluff fix --processes 2 --disable-progress-bar dbt_project

ui: $(READY) ## open Dagster's UI on loopback
	.venv/bin/meterhouse dev

lock: $(READY) ## resolve pyproject.toml anew into requirements.lock
	$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --extra dev --upgrade \
		--generate-hashes --no-strip-extras --no-annotate --no-header \
		--no-emit-index-url --no-emit-find-links pyproject.toml --output-file requirements.lock

setup: $(READY) ## make .venv and install what is missing, as every target does first

clean: ## remove what was built (.venv and the warehouse in .meterhouse stay)
	rm -rf build dbt_project/target dbt_project/logs logs .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(READY): requirements.lock pyproject.toml .ci/setup
	@.ci/setup

ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR))
.PHONY: $(READY)
endif
