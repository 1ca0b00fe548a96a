# Every target makes .venv for itself, from the locks in requirements/. Nothing else on the machine is touched.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test lint format bench pictures faults live docs lock clean

VENV ?= .venv
BIN := $(VENV)/bin
PY ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
# The tests start hundreds of processes: what these load is compiled once, whatever the environment says.
unexport PYTHONDONTWRITEBYTECODE
# One more than two cores, since many tests wait: for a disk, a server, a time limit.
WORKERS ?= 3

help: ## what can be made
	@echo "make TARGET [PY=python3.11] [VENV=.venv] [ARGS=...]"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/users.stamp ## see it work: recorded agents replayed, a live one asking you for approval, a dashboard (ARGS=--once: no terminal)
	@$(BIN)/aftertrace demo $(ARGS)

test: $(VENV)/dev.stamp ## all tests (ARGS='-k name -x')
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/dev.stamp ## style, types, the import contracts, and docs that have gone stale
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m aftertrace.semconv.generate --check
	@$(BIN)/python -m aftertrace.ingest.convert_gitleaks --check
	@$(BIN)/python -m aftertrace.cli.reference --check

format: $(VENV)/dev.stamp ## mend what ruff can mend
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

docs: $(VENV)/dev.stamp ## write semconv/REFERENCE.md, docs/REFERENCE.md, docs/EMITTERS.md and the tables of analyzer/README.md anew
	@$(BIN)/python -m aftertrace.semconv.generate
	@$(BIN)/python -m aftertrace.ingest.convert_gitleaks
	@$(BIN)/python -m aftertrace.cli.reference
	@$(BIN)/python -m tests.analyzer.seen
	@$(BIN)/python -m tests.analyzer.readme

bench: $(VENV)/dev.stamp ## how fast, beside Phoenix, MLflow and the Collector, a quarter of an hour (ARGS='ours --json FILE')
	@$(BIN)/python -m benchmarks $(ARGS)

pictures: $(VENV)/dev.stamp ## what each page of the dashboard looks like, light and dark, as .pictures/index.html; five minutes (ARGS='DATA --page Runs')
	@$(BIN)/python -m benchmarks.pictures $(ARGS)

faults: $(VENV)/dev.stamp ## kill -9, power cuts, failing and full disks: nothing acknowledged may be lost (eighteen minutes; FULL=1: over three hours)
	@FAULTS=$(if $(FULL),full,usual) $(BIN)/python -m pytest -s tests/faults $(ARGS)

live: $(VENV)/dev.stamp ## real agents from their registries against a real serve, as docs/LIVE.md says (ARGS='pydantic-ai --record DIR')
	@$(BIN)/python -m tests.live $(ARGS)

lock: $(VENV)/dev.stamp ## renew requirements/all.txt and requirements/dev.txt
	@$(PIP) pip-tools
	@PATH="$(abspath $(BIN)):$$PATH" requirements/lock.sh

clean: ## remove .venv, the agents of `make live`, the peers of `make bench`, pictures, and what tools leave behind
	@rm -rf $(VENV) .live .bench .pictures build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage

$(VENV)/users.stamp: pyproject.toml requirements/all.txt
	@test -n "$(PY)" || { echo "aftertrace needs Python 3.11 or newer and found none; say which: make PY=/path/to/python3.11"; exit 2; }
	@"$(PY)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PY) is older than Python 3.11; say which: make PY=/path/to/python3.11"; exit 2; }
	@echo "making $(VENV) with $$($(PY) --version) from requirements/all.txt ..."
	@test -x $(BIN)/python || "$(PY)" -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements/all.txt
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/users.stamp requirements/dev.txt
	@echo "adding what development needs from requirements/dev.txt ..."
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@
