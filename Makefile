# Everything runs in .venv, which the first target that needs it sets up: from git, make and Python 3.11 or later.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first of these that is Python 3.11 or later; name another with `make PYTHON=...`.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$python; break; fi; done)
JOBS ?= 3
ARGS ?=
COUNT ?= 40
FIRST ?= 0
SEEDS ?= 1000
BIN := .venv/bin
LOCK := requirements/lock.txt
RUNTIME := requirements/runtime.txt
READY := .venv/ready
AZURITE := tests/azure/node/node_modules/.package-lock.json
DESCRIPTIONS := tests/ci/node/node_modules/.package-lock.json
CHROMIUM := tests/report/node/node_modules/chromium/chromium
NODE := $(if $(shell command -v npm),$(AZURITE) $(DESCRIPTIONS) $(CHROMIUM))
COMPILE := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet

.PHONY: help setup demo test lint format types imports tests azurite descriptions chromium test-stories test-properties test-kills test-kill-matrix test-faults docs example lock upgrade bench proof reliability dist release publish clean

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | awk -F'\t' '{printf "make %-12s %s\n", $$1, $$2}'

setup: $(READY)  ## Make .venv with everything that is needed

demo: $(READY)  ## Train, judge and serve the reference project: the main job, on this machine
	cd pipelines && ../$(BIN)/ctrain run --trigger main

# The environments are set up side by side: each waits for its downloads.
test:  ## All checks and all tests
	$(MAKE) --no-print-directory -j4 lint types imports $(NODE)
	$(MAKE) --no-print-directory tests

lint: $(READY)  ## Style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)  ## Format, and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY)  ## mypy, strictly
	$(BIN)/mypy

imports: $(READY)  ## Who may import whom
	$(BIN)/lint-imports

# loadfile: a file's tests tell one story, on one platform (xdist 3.8's loadgroup does nothing with pytest 9.2).
tests: $(READY) $(NODE)  ## The tests only; e.g. make tests ARGS="tests/gate -x"
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

azurite: $(AZURITE)  ## Install the storage emulator that some tests need (make tests does, where npm is)

$(AZURITE): tests/azure/node/package-lock.json
	@echo "Installing Azurite in tests/azure/node, once" >&2
	@cd tests/azure/node && npm ci --omit=dev --no-audit --no-fund --loglevel=error >&2
	@touch $@

descriptions: $(DESCRIPTIONS)  ## Install what GitHub publishes of its API, which requests are held to (make tests does)

# The package is of 385 MB, of which one description is read.
$(DESCRIPTIONS): tests/ci/node/package-lock.json
	@echo "Installing GitHub's OpenAPI description in tests/ci/node, once" >&2
	@cd tests/ci/node && npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error >&2
	@find tests/ci/node/node_modules -name '*.json' -path '*/generated/*' ! -name api.github.com.json -delete
	@touch $@

chromium: $(CHROMIUM)  ## Install the browser and the readers that look at reports in tests (make tests does, where npm is)

$(CHROMIUM): tests/report/node/package-lock.json tests/report/node/unpack.mjs
	@echo "Installing Chromium in tests/report/node, once" >&2
	@cd tests/report/node && npm ci --omit=dev --no-audit --no-fund --loglevel=error >&2 && node unpack.mjs
	@touch $@

test-stories: $(READY) $(if $(shell command -v npm),$(AZURITE))  ## The stories whole, those of the reference project included
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "e2e or long" tests $(ARGS)

test-properties: $(READY)  ## The general rules on other examples than those of make tests, each time; e.g. ARGS="tests/gate"
	HYPOTHESIS_PROFILE=explore $(BIN)/python -m pytest -n $(JOBS) -m hypothesis $(ARGS)

test-kills: $(READY)  ## kill -9 at many moments, by chance; e.g. make test-kills COUNT=100 FIRST=40
	COUNT=$(COUNT) FIRST=$(FIRST) timeout 3600 $(BIN)/python -m pytest tests/e2e/kills.py $(ARGS)

test-kill-matrix: $(READY) $(AZURITE)  ## kill -9 before and after every call that writes, on both backends; takes an hour
	$(BIN)/python -m tests.kills $(ARGS)

test-faults: $(READY) $(AZURITE)  ## Every fault at every call that a release makes to Azure; takes most of an hour
	$(BIN)/python -m tests.faults --beside $(JOBS) $(ARGS)

simulate: $(READY)  ## Releases in a storm, each from a seed; e.g. make simulate SEEDS=10000 FIRST=0
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first $(FIRST) $(ARGS)

docs: $(READY)  ## Write the generated pages anew
	$(BIN)/python -m tests.house.pages

example: $(READY)  ## The report of docs/report-example.md anew: two releases of the reference project, in a folder that goes again
	$(BIN)/python -m tests.report.example

lock: $(READY)  ## Lock the dependencies of pyproject.toml, changing what must change only
	$(COMPILE) --group dev --group reference --output-file $(LOCK)
	$(COMPILE) --constraints $(LOCK) --output-file $(RUNTIME)

upgrade: $(READY)  ## Lock the newest versions of all dependencies
	$(COMPILE) --group dev --group reference --upgrade --output-file $(LOCK)
	$(COMPILE) --constraints $(LOCK) --upgrade --output-file $(RUNTIME)

bench: $(READY)  ## ctrain beside a bare shell and its peers, measured here; takes minutes
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/steps.py
	$(BIN)/python benchmarks/router.py
	$(BIN)/python benchmarks/pipeline.py $(ARGS)

proof: $(READY)  ## Does the gate keep its word? Simulated, with the tables and the plot of docs/gate.md; takes minutes
	$(BIN)/python -m benchmarks.gate_proof

reliability: $(READY) $(AZURITE)  ## The proofs of docs/reliability.md, whose figures it writes; takes two hours
	$(BIN)/python -m benchmarks.reliability $(ARGS)

dist: $(READY)  ## Build what is published in dist/, and run it as a user would; TAG=vX.Y.Z if it has to be that version
	$(BIN)/python .ci/release.py dist $(if $(TAG),--tag $(TAG))

release: $(READY)  ## A release, whole: check, build, try, tag; the pushed tag publishes it
	$(MAKE) test
	$(BIN)/python .ci/release.py dist
	$(BIN)/python .ci/release.py tag

publish: $(READY)  ## What the workflow `release` does with dist/: PyPI trusts the run, there is no key
	$(BIN)/uv publish --trusted-publishing always dist/*.whl dist/*.tar.gz

clean:  ## Remove the environment, caches and builds; the embedded platform's state stays
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# uv comes out of the same lock, by hash, so that pip installs one package and uv all others.
$(READY): $(LOCK) pyproject.toml
	@test -n "$(PYTHON)" || { echo "ctrain needs Python 3.11 or later; name one: make PYTHON=/path/to/python" >&2; exit 2; }
	@echo "Setting up .venv with $(PYTHON), once" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@awk '/^[^ ]/ {on = /^uv==/} on' $(LOCK) > .venv/uv.txt
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r $(LOCK)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
