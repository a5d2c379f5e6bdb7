# Everything a person does with this repository. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON := .venv/bin/python
DEMO := $(or $(NAME),demo)
ENGINE := $(or $(NAME),lab)
PORT ?= 8080
ARGS ?=

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' \
		| while IFS=$$'\t' read -r target text; do printf '  %-13s %s\n' "$$target" "$$text"; done

.PHONY: setup
setup: ## Make .venv with the locked packages; does nothing when it is current
	@deploy/setup/setup.sh

##-- Try it ------------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: setup ## Bring everything up, deploy the examples, break them, watch the repair (NAME=demo PORT=8080)
	@$(PYTHON) -m deploy.demo up --name $(DEMO) --port $(PORT)

.PHONY: demo-picture
demo-picture: demo ## Record the session that README shows again, in a demo that has no bakery yet (NAME=demo PORT=8080)
	@$(PYTHON) -m deploy.demo.recording --name $(DEMO) --port $(PORT) docs/demo.svg

.PHONY: demo-down
demo-down: setup ## End the demo and remove everything of it (NAME=demo)
	@$(PYTHON) -m deploy.demo down --name $(DEMO)

.PHONY: engine-up
engine-up: setup ## Bring a private Docker Swarm up (NAME=lab ARGS="--nodes 3 --load web")
	@$(PYTHON) -m deploy.engine up $(ENGINE) $(ARGS)

.PHONY: engine-down
engine-down: setup ## End a private Docker Swarm and remove it (NAME=lab)
	@$(PYTHON) -m deploy.engine down $(ENGINE)

##-- Work on it --------------------------------------------------------------------------------------------------------

.PHONY: test
test: setup ## Run the test suite, on a real engine (ARGS="-k repair" for a part; LONG=1: what takes long)
	@$(PYTHON) -m deploy.engine images $(if $(LONG),--long) >/dev/null # outside of any test's time
	@$(PYTHON) -m deploy.prometheus >/dev/null
	@$(PYTHON) -m $(if $(ARGS),pytest $(ARGS),tests.parts $(if $(LONG),--long))

.PHONY: sim
sim: setup ## Faults at steps drawn by a seed, simulated; a table (ARGS=--all: at every step; SEED=7 TIME=300: more)
	@$(PYTHON) -m tests.sim $(if $(SEED),--seed $(SEED)) $(if $(TIME),--time $(TIME)) $(ARGS)

.PHONY: fuzz
fuzz: setup ## Any row that SQL lets the panel write: as declared or refused, and the neighbour goes on (EXAMPLES=10000 SEED=7)
	@$(PYTHON) -m tests.fuzz $(if $(EXAMPLES),--examples $(EXAMPLES)) $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: chaos
chaos: setup ## Break two controllers, their database and their Swarm for long (SEED=7 TIME=300)
	@$(PYTHON) -m deploy.engine images >/dev/null # outside of any round's time
	@$(PYTHON) -m tests.chaos $(if $(SEED),--seed $(SEED)) --time $(or $(TIME),300) $(ARGS)

.PHONY: matrix
matrix: setup ## Test other versions of engine, PostgreSQL and Python, write docs/versions.md (CELL=postgresql-18: one of them)
	@$(PYTHON) -m deploy.engine images >/dev/null
	@$(PYTHON) -m tests.matrix --record $(CELL)

.PHONY: bench
bench: setup ## Measure against the raw floors; prints a table, writes bench.json
	@$(PYTHON) -m tests.bench $(ARGS)

.PHONY: fmt
fmt: setup ## Format the code
	@.venv/bin/ruff check --fix-only --quiet .
	@.venv/bin/ruff format .

.PHONY: lint
lint: setup ## Check form, style, and that imports point one way
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/lint-imports

.PHONY: type
type: setup ## Check types, strictly
	@.venv/bin/mypy

.PHONY: ci
ci: ## Do what the build machine does
	@.ci/run

.PHONY: schema
schema: setup ## Write the JSON Schemas of the specs again, .env.example, the API's reference, and the Python client
	@$(PYTHON) -m specs.schema_export
	@$(PYTHON) -m controller.api.reference
	@$(PYTHON) -m controller.api.client_code
	@$(PYTHON) -m controller.settings_example

LOCKED := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

.PHONY: lock
lock: setup ## Resolve the lock files again: what runs, and what it is made with (ARGS=--upgrade for the newest)
	@.venv/bin/uv pip compile $(LOCKED) --all-extras $(ARGS) -o requirements-dev.lock pyproject.toml
	@.venv/bin/uv pip compile $(LOCKED) --extra tracing --extra build --constraint requirements-dev.lock \
		-o requirements.lock pyproject.toml

.PHONY: clean
clean: ## Remove the demo, the environment, and what was cached
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m deploy.demo down --name $(DEMO); fi
	@rm -rf .venv .setup.lock .run .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache bench.json chaos-failure.json dist build
	@rm -rf "$${SKYPANEL_LAB_CACHE:-/var/cache/skypanel-lab}"
	@find . -name __pycache__ -prune -exec rm -rf {} +
