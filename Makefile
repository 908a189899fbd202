# Two commands do everything from a fresh clone: `make demo` and `make check`. `make help` lists the rest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCKS  := requirements.txt requirements-model.txt requirements-local.txt requirements-dev.txt
T      ?= tests
ARGS   ?=
CODE   := services shared deploy tests
PYTEST := $(BIN)/pytest -q
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup lock up down status doctor demo migrate topics schemas docs fmt lint types imports sizes test \
        test-integration test-e2e test-faults test-all bench check deploy-check

help:  ## this list
	@grep -hE '^[a-z0-9%-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 20

setup: $(VENV)/.ready  ## environment from the locked files
$(VENV)/.ready: requirements-setup.txt $(LOCKS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version.split()[0])'
	@echo "setting up $(VENV) from the locks: a minute the first time, seconds later" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt install python3-venv" >&2; exit 4; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-setup.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode $(LOCKS)
	@$(BIN)/python -m deploy.cli.install $(BIN)/baton
	@touch $@

lock: $(VENV)/.ready  ## re-resolve the locks
	@for name in requirements requirements-model requirements-local requirements-dev requirements-setup; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    $$name.in -o $$name.txt || exit 1; done

up: setup  ## local Kafka, PostgreSQL and the five services
	@$(BIN)/baton up $(ARGS)
down: setup  ## stop exactly what `up` started
	@$(BIN)/baton down $(ARGS)
status: setup  ## what runs, where, how it is
	@$(BIN)/baton status $(ARGS)
doctor: setup  ## what this machine has and what to do about the rest
	@$(BIN)/baton doctor $(ARGS)
demo: setup  ## a quarter of a fictional company goes round the loop, through the public doors
	@$(BIN)/baton demo $(ARGS)
migrate: setup  ## pending migrations of all services
	@$(BIN)/baton migrate $(ARGS)
topics: setup  ## topics from the catalog
	@$(BIN)/baton topics $(ARGS)
run-%: setup  ## one service with all its roles: make run-ingest
	@$(BIN)/python -m services.$*.app

fmt: setup  ## format
	@$(BIN)/ruff format $(CODE)
	@$(BIN)/ruff check --fix --exit-zero --quiet $(CODE)
lint: setup  ## ruff, with a reason for each exception
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check --quiet $(CODE) || { echo "run make fmt" >&2; exit 1; }
types: setup  ## mypy --strict over code and tests
	@$(BIN)/mypy
imports: setup  ## import contracts, and what is imported is what is locked
	@$(BIN)/lint-imports --config .importlinter
	@$(BIN)/deptry .
sizes: setup  ## module and function sizes beside the field's
	@$(BIN)/python -m tests.architecture.sizes
schemas: setup  ## schema files, compatibility gate, asyncapi.yaml
	@$(BIN)/python -m deploy.cli.schemas write
docs: setup  ## the pages about senders, made from their adapters
	@$(BIN)/python -m tests.support.sender_pages write

test: setup  ## architecture, unit, property
	@$(PYTEST) $(if $(filter tests,$(T)),tests/architecture tests/unit tests/property,$(T))
test-integration: setup  ## conformance and integration, on real PostgreSQL and Kafka
	@$(PYTEST) tests/conformance tests/integration
test-e2e: setup  ## all five services, a browser, and the real client libraries of senders
	@$(BIN)/python -m tests.support.node
	@$(PYTEST) tests/e2e tests/libraries -m "not faults"
test-faults: setup  ## kills every part while deliveries flow; prints its seeds
	@BATON_FAULTS=full $(PYTEST) tests/e2e -m faults -s
test-all: test test-integration test-e2e test-faults  ## every tier
bench: setup  ## the published figures (tests/bench/README.md)
	@$(BIN)/python -m tests.bench.run $(ARGS)
deploy-check: setup  ## compose file and Dockerfile, offline
	@$(PYTEST) tests/conformance/deploy

check: setup lint types imports  ## what a change must pass
	@$(BIN)/python -m deploy.cli.schemas check
	@$(BIN)/python -m tests.support.browser
	@$(BIN)/python -m tests.support.node
	@$(PYTEST) -n 2 --dist loadgroup tests/architecture tests/unit tests/property tests/conformance tests/integration
	@$(PYTEST) tests/e2e tests/libraries -m "not faults"
	@$(PYTEST) tests/e2e -m faults
