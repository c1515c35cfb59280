# Every recipe is what a person would type. `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11
STORY ?= supply
EXTRAS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test check bench contracts setup requirements oracles clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

demo: .venv/base ## install the base set and tell a story: make demo STORY=supply
	@test ! -f requirements/$(STORY).txt || $(MAKE) --no-print-directory setup EXTRAS=$(STORY)
	@$(BIN)/affiant demo $(STORY)

test: .venv/test node_modules/.installed ## contracts, then Python: unit, properties, tampering, real processes
	@contracts/node npx --no-install forge test
	@$(BIN)/python -m pytest -q -n 2 -m "not integration"
	@$(BIN)/python -m pytest -q -n 2 -m integration

check: .venv/test node_modules/.installed ## lint, types, layers, dependencies, contract artifacts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/deptry src
	@contracts/node node contracts/build.mjs --check

bench: .venv/test node_modules/.installed ## measure everything the README claims; writes bench/RESULTS.md
	@$(BIN)/python -m bench

contracts: node_modules/.installed ## compile the contracts and refresh the committed artifacts
	@contracts/node node contracts/build.mjs

setup: .venv/base ## install extras: make setup EXTRAS="supply finance"
	@for extra in $(EXTRAS); do \
	  test -f requirements/$$extra.txt || { echo "error: there is no extra '$$extra'" >&2; \
	    echo "   do: choose from: $(filter-out base build test oracles,$(basename $(notdir $(wildcard requirements/*.txt))))" >&2; exit 2; }; \
	  echo "installing the extra $$extra"; $(PIP) install --require-hashes -r requirements/$$extra.txt; \
	done

.venv/base: requirements/base.txt requirements/build.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is older than 3.11" >&2; \
	  echo "   do: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "error: this Python has no venv" >&2; \
	  echo "   do: install it (Debian: apt-get install python3-venv), or give PYTHON=…" >&2; exit 2; }
	@echo "installing the base set into .venv"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) install --no-compile --require-hashes -r requirements/base.txt -r requirements/build.txt
	@$(PIP) install --no-compile --no-deps --no-build-isolation --editable .
	@$(BIN)/affiant chain install
	@touch $@

.venv/test: .venv/base requirements/test.txt requirements/security.txt requirements/finance.txt
	@$(PIP) install --require-hashes -r requirements/finance.txt -r requirements/test.txt
	@touch $@

node_modules/.installed: package.json package-lock.json .venv/base
	@contracts/node npm ci --ignore-scripts --no-fund --no-audit --loglevel=error
	@touch $@

requirements: ## lock the dependencies again, with hashes (needs uv)
	@$(LOCK) pyproject.toml --output-file requirements/base.txt
	@$(LOCK) requirements/build.in --output-file requirements/build.txt
	@$(LOCK) pyproject.toml --extra security --constraint requirements/base.txt -o requirements/security.txt
	@$(LOCK) pyproject.toml --extra finance --constraint requirements/security.txt -o requirements/finance.txt
	@$(LOCK) requirements/test.in --constraint requirements/finance.txt -o requirements/test.txt
	@$(LOCK) requirements/oracles.in --output-file requirements/oracles.txt

oracles: .venv/test ## ask independent implementations about the vectors again (own environment)
	@test -x .venv-oracles/bin/python || $(PYTHON) -m venv .venv-oracles
	@.venv-oracles/bin/python -m pip --quiet install --require-hashes -r requirements/oracles.txt
	@$(BIN)/python tests/vectors/regenerate.py
	@.venv-oracles/bin/python tests/vectors/oracles.py

clean: ## remove what was installed and built; homes (.affiant) stay
	rm -rf .venv .venv-oracles .node node_modules contracts/out contracts/cache
