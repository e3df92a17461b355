# SPDX-License-Identifier: AGPL-3.0-or-later
# `make demo` and `make test` need nothing before them but Python 3.11 or later.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# bash sets SECONDS by itself; only a value given to make counts.
ifeq ($(origin SECONDS),environment)
SECONDS :=
endif
ROUNDS ?=
ARGS ?=

.DEFAULT_GOAL := help
# The hot path's compiled form, made anew where its sources changed; without a compiler Python does.
COMPILED = $(BIN)/python build_compiled.py >/dev/null 2>&1 || true

.PHONY: setup demo test check bench fuzz differential fmt lock clean help

setup: $(STAMP) ## make .venv with everything demo, tests and checks need

$(STAMP): requirements/dev.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "banyan: $(PYTHON) not found; install Python 3.11 or later, or say make PYTHON=…" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "banyan: $(PYTHON) is older than 3.11; say make PYTHON=python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python build_compiled.py >/dev/null || true
	@touch $@

demo: $(STAMP) ## the edge on recorded Loomio traffic (SECONDS=20 ends by itself, JSON=path writes the report)
	@$(BIN)/banyan demo $(if $(SECONDS),--seconds $(SECONDS)) $(if $(JSON),--report $(JSON)) $(ARGS)

# Chosen tests (ARGS) say nothing about coverage.
test: $(STAMP) ## all tests; services/ and railscompat/ covered to 80 % at least
	@$(COMPILED)
	$(BIN)/pytest -n auto $(if $(ARGS),$(ARGS),--cov=services --cov=railscompat --cov-report= --cov-fail-under=80)

bench: $(STAMP) ## the edge beside nginx, HAProxy, aiohttp and Node (ROUNDS=4, SECONDS=3 each, JSON=path)
	@$(COMPILED)
	@$(BIN)/python -m loadtests.bench $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(JSON),--json $(JSON)) $(ARGS)

fuzz: $(STAMP) ## broken requests and answers against an edge (N=100000, SEED=, JSON=path, REPLAY=file)
	@$(COMPILED)
	@$(BIN)/python -m loadtests.fuzz $(if $(N),--requests $(N)) $(if $(SEED),--seed $(SEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(JSON),--json $(JSON)) $(if $(REPLAY),--replay $(REPLAY)) $(ARGS)

differential: $(STAMP) ## the same requests through edge, nginx and HAProxy (N=5000, SEED=, JSON=path)
	@$(COMPILED)
	@$(BIN)/python -m loadtests.differential $(if $(N),--probes $(N)) $(if $(SEED),--seed $(SEED)) $(if $(JSON),--json $(JSON)) $(ARGS)

check: $(STAMP) ## lint, types, import rules, and rows as the schema has them
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/banyan sql models --check

fmt: $(STAMP) ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(STAMP) ## pin requirements/*.in anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade requirements/run.in -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade requirements/dev.in -o requirements/dev.txt

clean: ## remove what the commands above made
	rm -rf proxy/_compiled $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this text
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
