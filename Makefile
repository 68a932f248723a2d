# Needs make and a plain python3 (3.11 or newer); uses uv where it is on the PATH, else pip.
# `make help` lists the commands.

VENV := .venv
READY := $(VENV)/.made-from
BIN := $(VENV)/bin
# The line of Airflow to develop against, and those to test against.
LINE := 3.3
LINES := 3.1 3.2 3.3
# Further arguments for pytest: make unit PYTEST_ARGS="-k retries -x"
PYTEST_ARGS ?=
# The parts of the nightly run, or its options: make nightly NIGHTLY_ARGS="explore soak"
NIGHTLY_ARGS ?=
# Numbers of faults: make planted PLANTED_ARGS="5 12"
PLANTED_ARGS ?=
# Further arguments for the benchmarks: make bench BENCH_ARGS="creates --quick"
BENCH_ARGS ?=

# Further arguments for the run on Celery: make celery CELERY_ARGS="--instances 100"
CELERY_ARGS ?=

# The first interpreter that Airflow supports; python3 itself if it is one.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	if $$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; \
	then command -v $$name; break; fi; done)

# A harness or a test sets a private folder of its own; this one is for whatever forgets to, so that nothing
# here ever touches a person's ~/airflow.
export AIRFLOW_HOME := $(CURDIR)/$(VENV)/airflow-home
# Where it is set, each of the many Python processes that tests start compiles the package anew, and each pytest
# rewrites the assertions of all tests and of hypothesis anew: more than half of what a collection costs.
unexport PYTHONDONTWRITEBYTECODE
PYTEST = $(BIN)/python -m pytest $(PYTEST_ARGS)

.DEFAULT_GOAL := help
.PHONY: help setup demo test durations unit check lint docs docs-fill pictures bench celery soak nightly planted up compat wheel clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## the environment in .venv; costs nothing once it is there

# The script compares contents: a new lint rule in pyproject.toml installs nothing.
$(READY): pyproject.toml scripts/make_env.py $(wildcard constraints/*.txt)
	@test -n "$(PYTHON)" || { echo "no Python from 3.11 to 3.13 found; say PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) scripts/make_env.py $(VENV) --line $(LINE) --group dev

demo: $(READY) ## the Microsoft Graph DAG against the sandbox, with an account of what happened
	$(BIN)/python -m scripts.demo

# Of all lines at once: make test TEST_LINES="3.1 3.2 3.3". PYTEST_ARGS reaches the lanes, not the unit tests.
TEST_LINES ?= $(LINE)
GATE = $(BIN)/python -m scripts.gate --pytest-args="$(PYTEST_ARGS)"
test: $(READY) ## everything that gates a change: the unit tests, then the longer ones in lanes
	$(GATE) --lines $(TEST_LINES)

durations: $(READY) ## renew tests/durations.json, by which the lanes are filled
	$(GATE) --lines $(LINES) --no-unit --write-durations

# Any argument but the gate's own may leave tests out, and then the floor of the coverage does not hold.
WHOLE = $(if $(filter-out -p scripts.gate_plugin,$(PYTEST_ARGS)),,whole)
# Three at a time, since they often wait; the tests of a file stay together, since they share what they start.
unit: $(READY) ## the quick tests, no Airflow started
	@mkdir -p reports
	$(if $(WHOLE),$(BIN)/python -W ignore::RuntimeWarning:slipcover.importer -m slipcover -m pytest $(PYTEST_ARGS),$(PYTEST)) -n 3 --dist loadfile -m "not (airflow or processes or browser or slow or nightly or soak)"
	$(if $(WHOLE),$(BIN)/python -m scripts.coverage_floor reports/coverage.json)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m scripts.docs --check

pictures: $(READY) ## run every example and take its picture for the gallery, into docs/images
	$(BIN)/python -m scripts.pictures
	$(BIN)/python -m scripts.docs

docs-fill: $(READY) ## fill the parts of README and docs that the code knows
	$(BIN)/python -m scripts.docs

docs: $(READY) ## the documentation as a site, in build/docs/html; a broken link or an undocumented name fails
	$(BIN)/python -m scripts.docs_site

check: lint unit ## lint, format, types, import arrows and unit tests: before each commit

bench: .venvs/bench/.made-from ## the benchmarks, each against its named rival
	.venvs/bench/bin/python -m benchmarks $(BENCH_ARGS)

.venvs/bench/.made-from: pyproject.toml scripts/make_env.py $(wildcard constraints/*.txt)
	$(PYTHON) scripts/make_env.py .venvs/bench --line $(LINE) --group bench

# Needs Debian's redis-server and postgresql.
celery: .venvs/celery/.made-from ## 1,000 instances over mapped tasks on a CeleryExecutor; one worker is killed
	.venvs/celery/bin/python -m scripts.celery_run $(CELERY_ARGS)

.venvs/celery/.made-from: pyproject.toml scripts/make_env.py $(wildcard constraints/*.txt)
	$(PYTHON) scripts/make_env.py .venvs/celery --line $(LINE) --group celery

# The tools of docs/works-with.md that the nightly run tests.
.venvs/works/.made-from: pyproject.toml scripts/make_env.py $(wildcard constraints/*.txt)
	$(PYTHON) scripts/make_env.py .venvs/works --line $(LINE) --group works

# Those that cannot be installed with the list of versions.
.venvs/works-unlisted/.made-from: pyproject.toml scripts/make_env.py $(wildcard constraints/*.txt)
	$(PYTHON) scripts/make_env.py .venvs/works-unlisted --line $(LINE) --unlisted --group works-unlisted

# The stores into which the nightly run writes: those that pip installs, and azurite, which npm does.
.venvs/stores/.made-from: pyproject.toml scripts/make_env.py $(wildcard constraints/*.txt)
	$(PYTHON) scripts/make_env.py .venvs/stores --line $(LINE) --group stores

AZURITE := .venvs/azurite/node_modules/.bin/azurite-blob
$(AZURITE):
	npm install --silent --no-audit --no-fund --prefix .venvs/azurite azurite@3.37.0

OLDER_READY := $(patsubst %,.venvs/airflow-%/.made-from,$(filter-out $(LINE),$(LINES)))
nightly: $(READY) $(OLDER_READY) .venvs/celery/.made-from .venvs/works/.made-from .venvs/works-unlisted/.made-from .venvs/stores/.made-from $(AZURITE) ## everything that is too long for the gate, hours; ends with one line of figures
	$(BIN)/python -m scripts.nightly $(NIGHTLY_ARGS)

soak: $(READY) ## of that the full figures and other examples, on the newest line
	PYTEST_ADDOPTS="$(PYTEST_ARGS)" $(BIN)/python -m scripts.nightly explore soak

planted: $(READY) $(OLDER_READY) ## twelve faults, planted one at a time in a copy: the gate finds each
	$(BIN)/python -m scripts.planted $(PLANTED_ARGS)

up: $(READY) ## a real Airflow with the sandbox and the examples to click through; Ctrl-C stops all
	$(BIN)/python -m scripts.up

compat: $(READY) ## the tests that touch Airflow, on the newest 3.1, 3.2 and 3.3
	$(GATE) --no-unit --lines $(LINES)

.PHONY: $(LINES:%=compat-%)
$(LINES:%=compat-%): compat-%: $(READY)
	$(GATE) --no-unit --lines $*

# One environment for each line; the newest release that constraints/ has a list for.
.venvs/airflow-%/.made-from: pyproject.toml scripts/make_env.py $(wildcard constraints/*.txt)
	$(PYTHON) scripts/make_env.py .venvs/airflow-$* --line $* --group test

# Needs no Airflow, so that a newcomer waits for one environment only.
.venvs/build/.made-from: pyproject.toml scripts/make_env.py
	$(PYTHON) scripts/make_env.py .venvs/build --group build

wheel: .venvs/build/.made-from ## the wheel and the source distribution, in dist/
	.venvs/build/bin/python -m build --no-isolation --outdir dist .

clean: ## remove environments, builds and caches
	rm -rf .venv .venvs build dist reports .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
