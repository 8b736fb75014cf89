.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11

help:  ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

.venv/installed: requirements/dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "backup-reaper needs Python 3.11 or newer; say which with: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	@touch $@

install: .venv/installed  ## set up .venv with the locked dependencies, bytecode compiled
	@$(BIN)/python -m compileall -q function simulator

demo: install  ## see backups being deleted: simulator and function as processes, every sample event sent
	@$(BIN)/python -m simulator.demo

serve: install  ## simulator and function stay up until Ctrl-C, with the curl line to try
	@$(BIN)/python -m simulator.demo --serve

test: check  ## everything: check, and all tests with branch coverage
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses auto
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

quick: install  ## unit and contract tests, for every commit
	$(BIN)/pytest -q --numprocesses auto tests/unit tests/contract

check: install  ## formatting, lint, import contracts, types
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

mutate: install  ## mutation testing of the modules that decide: the score, then every survivor (ten minutes)
	@rm -rf mutants
	@$(BIN)/mutmut run | tr '\r' '\n' | tail -1
	@$(BIN)/mutmut results

.venv-bench/installed: bench/requirements.txt
	$(PYTHON) -m venv --clear .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement bench/requirements.txt
	@touch $@

bench: .venv-bench/installed  ## measure ours beside what a user would pick instead, in one run (ten minutes)
	@.venv-bench/bin/python -m compileall -q function bench
	@.venv-bench/bin/python -m bench

soak: .venv-bench/installed  ## 20,000 events to ours: memory and cost, block by block
	@.venv-bench/bin/python -m bench --soak

format: install  ## put the code into its form
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --quiet --fix .

lock: install  ## renew requirements/*.txt from pyproject.toml
	$(UV) pyproject.toml --output-file requirements/runtime.txt
	$(UV) pyproject.toml --group dev --output-file requirements/dev.txt
	$(UV) bench/requirements.in --output-file bench/requirements.txt

clean:  ## remove all that these commands made
	rm -rf .venv .venv-bench mutants .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .grimp_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help install demo serve test quick check mutate bench soak format lock clean
