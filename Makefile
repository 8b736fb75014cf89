.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
# A Python that you name gets an environment of its own: both can be used side by side.
VENV ?= $(if $(filter file,$(origin PYTHON)),.venv,.venv-$(subst /,-,$(PYTHON)))
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes
# Many tests wait, for a deadline or a process: two workers a core finish in two thirds of the time. Those of a file begin
# on one worker (worksteal), as they share processes.
WORKERS := $$((2 * $$(getconf _NPROCESSORS_ONLN)))
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11

help:  ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

# These two never remove what is there, so one grows out of the other; `make clean` starts afresh.
$(VENV)/runtime: requirements/runtime.txt
	@$(PYTHON) -c pass || { echo "$(PYTHON) does not run here. Name another Python: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	  "$(PYTHON) is Python %d.%d; 3.11 is the oldest that works. Name another: make PYTHON=python3.12 …" % sys.version_info[:2])'
	@$(BIN)/python -c pass 2>/dev/null || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing the $$(grep -c == $<) locked packages that the function needs into $(VENV): about half a minute."
	@$(PIP) --requirement $<
	@touch $@

$(VENV)/installed: requirements/dev.txt $(VENV)/runtime
	@echo "Installing all $$(grep -c == $<) locked packages for development into $(VENV): one to five minutes."
	@$(PIP) --requirement $<
	@touch $@

install: $(VENV)/runtime  ## set up .venv with what the function, the demo and the simulator need

demo: install  ## see backups being deleted: every sample event, then a retention policy, its plan and a sweep
	@$(BIN)/python -m simulator.demo $(EVENT)

plan: install  ## see what a policy keeps of the simulator's backups; POLICY=file for yours, HTML=file for a page
	@$(BIN)/python -m simulator.plan $(if $(POLICY),--policy '$(POLICY)') $(if $(HTML),--html '$(HTML)')

serve: install  ## keep simulator and function running until Ctrl-C, with the curl line to try; honours REAPER_… and PORT
	@$(BIN)/python -m simulator.serve $(EVENT)

test: check  ## everything: check, and all tests with branch coverage (five minutes on two cores)
	@$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest --numprocesses $(WORKERS) --dist worksteal --hypothesis-profile=whole
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report

quick: $(VENV)/installed  ## unit and contract tests, for every commit (half a minute)
	$(BIN)/pytest -q --numprocesses auto tests/unit tests/contract

check: $(VENV)/installed  ## formatting, lint, spelling, import contracts, types, and the links of the docs
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/codespell
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	$(BIN)/pytest -q -p no:xdist tests/contract/test_docs.py

mutate: $(VENV)/installed  ## mutation testing of the modules that decide: the score, then every survivor (ten minutes)
	@rm -rf mutants
	@$(BIN)/mutmut run | tr '\r' '\n' | tail -1
	@$(BIN)/mutmut results

.venv-bench/installed: bench/requirements.txt
	$(PYTHON) -m venv --clear .venv-bench
	.venv-bench/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement bench/requirements.txt
	@touch $@

bench: .venv-bench/installed  ## measure this function beside what a user would write instead, in one run (ten minutes)
	@.venv-bench/bin/python -m compileall -q function bench
	@.venv-bench/bin/python -m bench

.venv-terraform/installed: tests/terraform/requirements.txt
	$(PYTHON) -m venv --clear .venv-terraform
	.venv-terraform/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement tests/terraform/requirements.txt
	@touch $@

terraform: $(VENV)/installed .venv-terraform/installed  ## check deploy/functiongraph with a real Terraform, without a network
	$(BIN)/pytest -q --numprocesses auto tests/integration/test_terraform.py

soak: .venv-bench/installed  ## send 20,000 events to the function: memory and cost, block by block
	@.venv-bench/bin/python -m bench --soak

format: $(VENV)/installed  ## format the code and apply safe lint fixes
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --quiet --fix .

lock: $(VENV)/installed  ## renew requirements/*.txt from pyproject.toml
	$(LOCK) pyproject.toml --output-file requirements/runtime.txt
	$(LOCK) pyproject.toml --group dev --constraint requirements/runtime.txt --output-file requirements/dev.txt
	$(LOCK) requirements/otel.in --output-file requirements/otel.txt
	$(LOCK) bench/requirements.in --output-file bench/requirements.txt
	$(LOCK) tests/terraform/requirements.in --output-file tests/terraform/requirements.txt

clean:  ## remove everything that these commands created
	rm -rf .venv .venv-* mutants .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .grimp_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help install demo plan serve test quick check mutate bench terraform soak format lock clean
