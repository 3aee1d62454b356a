# Every command a developer needs. `make demo` and `make test` do all their own set-up.
# Choose another Python 3.13 with `make setup PYTHON=/path/to/python3.13`.

PYTHON ?= python3.13
SHELL := /bin/bash
VENV := .venv/bin
# Which PSA the demo plays with: connectwise, autotask, halopsa or syncro.
PSA ?= connectwise
# SAM looks for a Python 3.13 with pip on the path; its own environment has one.
SAM := PATH="$(CURDIR)/.venv-sam/bin:$$PATH" SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-again check bench serve screenshots faults lint format deployable locks clean python sam-tools checkov-tools

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1 || { \
	  echo "Trueup needs Python 3.13, and '$(PYTHON)' is not it. Install it in one of these ways, then run make again:" >&2; \
	  echo "  Debian, Ubuntu:  sudo apt install python3.13 python3.13-venv" >&2; \
	  echo "  macOS:           brew install python@3.13" >&2; \
	  echo "  pyenv:           pyenv install 3.13" >&2; \
	  echo "  uv:              uv python install 3.13" >&2; \
	  echo "Python 3.13 under another name:  make setup PYTHON=/path/to/python3.13" >&2; \
	  exit 1; }

setup: python  ## Build .venv from the hashed lock files; leaves .venv/bin/trueup
	@$(PYTHON) local/setup_environment.py

demo: setup  ## A whole month on this machine, with PSA=connectwise|autotask|halopsa|syncro (default: connectwise)
	@$(VENV)/trueup demo --psa $(PSA)

serve: setup  ## The local system with its HTTP API, until Ctrl-C
	@$(VENV)/trueup serve

screenshots: setup  ## Pictures of every screen (light, dark, narrow) into docs/screens; needs Chromium
	@$(VENV)/python -m local.screenshots

test: setup  ## All tests that need nothing but this machine
	@echo "Running the tests, two at a time (about twelve minutes; the slowest, which kill processes, come first)"
	@$(VENV)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m "not built"

test-again: setup  ## The tests that failed last, by themselves, one at a time
	@echo "These tests failed among the others. Those that pass now, by themselves, share something: look for what it is."
	@$(VENV)/python -m pytest -v --last-failed --last-failed-no-failures none -m "not built"

faults: setup  ## Run the tests of the fault list; print how many of how many hold
	@$(VENV)/python -m local.faults_report

bench: setup  ## Measure matching, sync speed and memory; prints side by side
	@$(VENV)/python -m benchmarks

lint: setup  ## Formatting, style and types
	@$(VENV)/ruff format --check .
	@$(VENV)/ruff check .
	@$(VENV)/mypy

format: setup  ## Rewrite the code in the house format
	@$(VENV)/ruff format .
	@$(VENV)/ruff check --fix .

sam-tools: python
	@$(PYTHON) local/setup_environment.py sam

checkov-tools: python
	@$(PYTHON) local/setup_environment.py checkov

deployable: setup sam-tools checkov-tools  ## Validate the template, build it, run the built functions, scan it
	$(SAM) validate --lint
	$(SAM) build
	@$(VENV)/python -m pytest -q -m built tests/infrastructure
	.venv-checkov/bin/checkov --config-file .checkov.yaml

check: lint test deployable  ## Everything: what a change must pass before it is merged

locks: setup  ## Resolve pyproject.toml again and rewrite the hashed lock files
	@$(VENV)/python local/lock_requirements.py

clean:  ## Remove environments, caches and build output; keeps the data in .local
	rm -rf .venv .venv-sam .venv-checkov .local-tools .aws-sam .mypy_cache .pytest_cache .ruff_cache
