# The project's commands. `make` lists them; all need Python 3.10 or newer and nothing else installed.
#   PYTHON   which Python makes the environment    (python3)
#   VENV     where the environment is              (.venv)
#   SECONDS  how long `make demo` runs             (until Ctrl-C)
#   STACK    full: `make demo` with Collector, Elasticsearch and Prometheus  (python)
#   PROCESSES  how many `make test` tests in at once  (2)
#   ARGS     further arguments for the tool        (make unit ARGS="-k settings")

PYTHON ?= python3
VENV ?= .venv
PROCESSES ?= 2
BIN := $(VENV)/bin
LOCK := requirements-dev.lock
UV := build/lock/bin/uv

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help environment demo test lint types unit services faults bench docs pictures lock clean

help: ## list the commands
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1#\2/p' Makefile | while IFS='#' read -r name text; do \
	  printf '  %-18s %s\n' "$$name" "$$text"; done

# ---- the environment: made once, brought up to date when the lock file or pyproject.toml changes

environment: $(VENV)/.package ## make or update the environment that every other command uses

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
	  echo "$(PYTHON) is not Python 3.10 or newer: `$(PYTHON) --version 2>&1`." \
	    "Name one that is, as in: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "== environment: making $(VENV) with `$(PYTHON) --version`"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.locked: $(LOCK) | $(BIN)/python
	@echo "== environment: installing the locked packages into $(VENV) (a minute or two the first time)"
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r $(LOCK)
	@touch $@

# The package itself is installed in place: a change of its code needs no second installation, one of its metadata does.
$(VENV)/.package: pyproject.toml $(VENV)/.locked
	@echo "== environment: installing otel-distro in place"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# ---- the two commands

demo: environment ## run the shop with traffic and show its metrics and logs (SECONDS=20 ends by itself; STACK=full: with servers)
	@$(BIN)/python examples/shop/demo.py $(if $(SECONDS),--seconds $(SECONDS)) $(if $(STACK),--stack $(STACK))

test: lint types services ## run every check and every test, real servers included
	@echo "== tests: pytest, in $(PROCESSES) processes"
	@$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

# ---- the parts of `make test`

services: environment ## fetch the real servers that the tests start; ends with name=path lines
	@echo "== services: finding or fetching the real servers"
	@$(BIN)/python -m tests.services

lint: environment ## check style and format
	@echo "== lint: ruff check, ruff format --check"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: environment ## check types, strictly
	@echo "== types: mypy --strict"
	@$(BIN)/mypy

unit: environment ## run the fast tests alone
	@$(BIN)/python -m pytest tests/unit $(ARGS)

faults: environment ## run the long forms of the tests that break things: kills, full disks, dead servers
	@$(BIN)/python -m pytest tests/faults $(ARGS)

bench: environment ## run every benchmark and write docs/benchmarks.md (ARGS=--quick: a few minutes, build/benchmarks)
	@$(BIN)/python -m tests.benchmarks.report $(ARGS)

# ---- what is generated and committed

docs: environment ## write the generated pages of docs/, rules, alerts, runbook and dashboards again
	@$(BIN)/python docs/generate.py

pictures: environment ## take the README's picture of Prometheus again, with the shop running (needs Chromium)
	@$(BIN)/python -m docs.photograph

# One lock file for Python 3.10 to 3.13 on every platform, every file by its hash. Pre-releases only where a requirement
# names one itself. In the finished file no registry is named: pip asks the one that the machine is set up for.
lock: ## resolve the locked packages again, keeping what still fits (ARGS=--upgrade: the newest)
	@test -x $(UV) || { $(PYTHON) -m venv build/lock && build/lock/bin/python -m pip install --quiet 'uv>=0.9,<1'; }
	@$(UV) pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.10 $(ARGS) \
	  --prerelease if-necessary-or-explicit --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command 'make lock' --quiet --output-file $(LOCK)
	@if grep -n '://' $(LOCK); then echo "$(LOCK) names an address" >&2; exit 1; fi
	@echo "== lock: `grep -c '^[a-z]' $(LOCK)` packages in $(LOCK)"

clean: ## remove the environment and everything that is generated and not committed
	rm -rf $(VENV) .demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
