# Akrab: every target one verb. Settings are environment variables or NAME=value: CRM_DATA_DIR, CRM_PORT, CRM_PROCESSES,
# CRM_POSTGRES_URL, CRM_NATS_URL, DEMO=0, DEMO_TRAFFIC=0, PYTHON=python3.12.
.DEFAULT_GOAL := help
.PHONY: help setup gen fmt lint test unit service contract e2e chaos bench run migrate demo backup restore status k8s-check
.PHONY: runtime contracts large live-telephony
MAKEFLAGS += --no-print-directory

python := .venv/bin/python
pytest := $(python) -m pytest
# Tests wait for servers more than they compute: two workers for each core. A file's tests stay together, because they share what
# they set up, and files keep their order: the journeys, which are the longest, begin.
parallel := -n $(shell expr 2 '*' $$(nproc)) --dist loadfile --no-loadscope-reorder
protos := $(shell find protos -name '*.proto' 2>/dev/null)
unexport PYTHONDONTWRITEBYTECODE  # many processes import the same modules
export CRM_DATA_DIR CRM_PORT CRM_GRPC_PORT CRM_PROCESSES CRM_POSTGRES_URL CRM_NATS_URL DEMO DEMO_TRAFFIC PYTHON

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' Makefile

setup: ## Make .venv with everything for development, from the hash-locked requirements
	@sh deploy/local/setup.sh dev

runtime:
	@sh deploy/local/setup.sh runtime

gen: gen/.made ## Generate Python from protos/

gen/.made: $(protos) tools/gen.py | runtime
	@$(python) tools/gen.py
	@touch $@

fmt: setup ## Format the code
	@$(python) -m ruff format .
	@$(python) -m ruff check --fix .

lint: setup gen ## Check style, types and the house rules
	@$(python) -m ruff format --check .
	@$(python) -m ruff check .
	@$(python) -m mypy
	@$(python) -m tools.lint
	@$(python) -m tools.docs --check

test: setup gen ## Run unit, service, contract and end-to-end tests, in parallel
	@$(pytest) $(parallel) -o faulthandler_timeout=300 -m 'not large' tests/e2e tests/service tests/contract tests/unit $(ARGS)

large: setup gen ## Run the tests that take more than a second or two: journeys, full tables, many cases, whole installations
	@$(pytest) $(parallel) -m large tests/e2e tests/service tests/contract tests/unit $(ARGS)

unit: setup gen ## Run the tests of rules and calculations
	@$(pytest) tests/unit $(ARGS)

service: setup gen ## Run the tests of RPCs and consumers against real servers
	@$(pytest) $(parallel) tests/service $(ARGS)

contract: setup gen ## Run the tests generated from the contracts
	@$(pytest) $(parallel) tests/contract $(ARGS)

contracts: ## Check protos/ with buf: style, comments, nothing breaks (needs npm)
	@sh tools/contracts/buf.sh

e2e: setup gen ## Run the journeys through the gateway and the runtime
	@$(pytest) $(parallel) tests/e2e $(ARGS)

chaos: setup gen ## Kill, stop and restart things, then count effects
	@$(pytest) tests/chaos $(ARGS)

live-telephony: setup gen ## Speak with a real Asterisk, which it installs (needs mmdebstrap and root)
	@$(pytest) tests/live/telephony $(ARGS)

bench: setup gen ## Measure against the budgets (ONLY=B1,B2 for some, SHORT=1 for CI, WRITE=1 for docs/performance.md)
	@$(python) -m tests.bench $(if $(ONLY),--only=$(ONLY)) $(if $(filter 1,$(SHORT)),--short) $(if $(filter 1,$(WRITE)),--write)

run: runtime gen ## Start everything on this machine (DEMO=0: without the demo company)
	@exec $(python) -m deploy.local run

migrate: runtime gen ## Bring the databases to this version without starting the application
	@exec $(python) -m deploy.local migrate

demo: runtime gen ## Make the demo company in the running installation
	@exec $(python) -m deploy.local demo

backup: runtime ## Write everything to one file (TO=file)
	@exec $(python) -m deploy.local backup $(if $(TO),--to='$(TO)')

restore: runtime ## Make the data directory out of a backup (FROM=file, FORCE=1 moves an old one aside)
	@exec $(python) -m deploy.local restore --from='$(FROM)' $(if $(filter 1,$(FORCE)),--force)

status: runtime ## Say what runs where
	@$(python) -m deploy.local status

k8s-check: setup ## Render and validate the Kubernetes manifests
	@$(python) -m tools.k8s_check
