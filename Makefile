# `make run` and `make test` are all that a newcomer needs; `make help` lists the rest.
.DEFAULT_GOAL := help
.PHONY: help run test test-faults test-real real-chia check format proto proto-check bench screenshots constraints clean

BIN := .venv/bin
INSTALLED := .venv/installed
CHIA := build/real-chia
CHIA_VERSION := 2.7.5
CHIA_INSTALLED := $(CHIA)/venv/installed-$(CHIA_VERSION)
PIP_INSTALL := -m pip install -q --disable-pip-version-check
PYTHON ?= $(shell for python in python3.11 python3 python3.12 python3.13; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

help: ## This list
	@sed -n 's/^\([a-z-]*\):.* ## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-12s %s\n' "$$name" "$$text"; done

run: $(INSTALLED) ## Set up what is needed and start chia-tea on this machine
	@$(BIN)/chia-tea up

test: $(INSTALLED) ## Run all tests, on all cores (ARGS="-k name" for some)
	@$(BIN)/python -m pytest -q -n auto --dist worksteal $(ARGS)

test-faults: $(INSTALLED) ## Kill, fail and cut the power of the copier at every system call (as root also on disks of its own)
	@CHIA_TEA_FAULTS=all $(BIN)/python -m pytest -q -n auto --dist worksteal tests/copier $(ARGS)

test-real: $(INSTALLED) real-chia ## Test against a real Chia and small real plots, on loopback: 7 minutes
	@CHIA_TEA_REAL_CHIA=$(CHIA)/venv $(BIN)/python -m pytest -q tests/real --basetemp=$(CHIA)/farm $(ARGS)

real-chia: $(CHIA_INSTALLED)

check: $(INSTALLED) ## All that must be right before a commit: form, types, imports, protocol, tests
	@$(BIN)/ruff format -q --check .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(MAKE) --no-print-directory proto-check test

format: $(INSTALLED) ## Write the code in its one form
	@$(BIN)/ruff check -q --fix .; $(BIN)/ruff format -q .

proto: $(INSTALLED) ## Generate chiatea/protobuf from protocol/
	@$(BIN)/python scripts/generate_protocol.py

proto-check: $(INSTALLED) ## See that chiatea/protobuf is what protocol/ makes
	@$(BIN)/python scripts/generate_protocol.py --check

bench: $(INSTALLED) ## Measure what we claim about speed
	@$(BIN)/python -m benchmarks

screenshots: $(INSTALLED) ## Take the pictures in screenshots/ anew
	@$(BIN)/python scripts/screenshots.py

constraints: ## Write the newest allowed versions into constraints.txt
	@$(PYTHON) -m venv --clear build/constraints
	@build/constraints/bin/python $(PIP_INSTALL) -e '.[dev]' hatchling
	@sed -i '/^#/!d' constraints.txt && build/constraints/bin/pip freeze -q --exclude-editable >> constraints.txt

clean: ## Remove everything that was made
	@rm -rf .venv build dist *.egg-info .*_cache .hypothesis snapshot_report.html
	@find chiatea tests -name __pycache__ -prune -exec rm -rf {} +

# Made anew only when what is needed has changed.
$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo 'chia-tea needs Python 3.11 or newer: install it, or name it: make PYTHON=...' >&2; exit 1; }
	@echo 'setting up .venv; the first time this takes a minute' >&2
	@if command -v uv >/dev/null; then \
		uv venv -q --allow-existing --python $(PYTHON) .venv && \
		uv pip install -q --python $(BIN)/python -c constraints.txt -e '.[dev]'; \
	else \
		{ $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv; } && \
		$(BIN)/python $(PIP_INSTALL) -c constraints.txt -e '.[dev]'; \
	fi
	@touch $@

# Apart from .venv: Chia pins half of PyPI.
$(CHIA_INSTALLED):
	@echo 'installing chia-blockchain $(CHIA_VERSION) into $(CHIA)/venv: 100 MB, two minutes' >&2
	@mkdir -p $(CHIA)
	@{ $(PYTHON) -m venv --clear $(CHIA)/venv && \
		$(CHIA)/venv/bin/python $(PIP_INSTALL) --retries 2 --timeout 20 chia-blockchain==$(CHIA_VERSION); \
	} > $(CHIA)/install.log 2>&1 || { \
		echo "chia-blockchain $(CHIA_VERSION) cannot be installed: $$(grep -v '^ *$$' $(CHIA)/install.log | tail -n 1)" >&2; \
		exit 1; }
	@touch $@
