# Two commands are enough on a fresh machine: `make run` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PROTOS := $(wildcard protocol/chiatea/protobuf/*.proto)
PROTOC := $(BIN)/python -m grpc_tools.protoc -Iprotocol

.DEFAULT_GOAL := help
.PHONY: help run test check format proto proto-check config-example bench screenshots constraints clean

help: ## Show what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: $(STAMP) ## Install into .venv, then run server, collector and dashboard on this machine
	$(BIN)/chia-tea up

test: $(STAMP) ## Run all tests, in parallel
	$(BIN)/python -m pytest -n auto --dist worksteal -q

check: $(STAMP) ## All that must be green before a commit: format, lint, types, imports, protocol, tests
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	@$(MAKE) --no-print-directory proto-check
	@$(MAKE) --no-print-directory test

format: $(STAMP) ## Format the code
	$(BIN)/ruff format -q .
	$(BIN)/ruff check --fix -q .

proto: $(STAMP) ## Generate chiatea/protobuf from protocol/
	@$(call generate,.)

proto-check: $(STAMP) ## Fail when the generated code is not what protocol/ makes
	@rm -rf build/proto && mkdir -p build/proto && $(call generate,build/proto)
	@for file in build/proto/chiatea/protobuf/*; do \
	  cmp -s $$file chiatea/protobuf/$$(basename $$file) || \
	  { echo "chiatea/protobuf/$$(basename $$file) is not what protocol/ makes: run 'make proto'"; exit 1; }; done

define generate
$(PROTOC) --python_out=$(1) --mypy_out=quiet:$(1) $(PROTOS) && \
$(PROTOC) --grpc_python_out=$(1) --mypy_grpc_out=quiet,only_async:$(1) protocol/chiatea/protobuf/monitoring_service.proto
endef

config-example: $(STAMP) ## Write config.yml.example from the configuration's model
	$(BIN)/python -c "from chiatea.config import example; print(example(), end='')" > config.yml.example

bench: $(STAMP) ## Measure what is claimed about speed
	$(BIN)/python -m benchmarks

screenshots: $(STAMP) ## Render the dashboard to screenshots/
	$(BIN)/python scripts/screenshots.py

constraints: $(STAMP) ## Pin what is installed now into constraints.txt
	{ echo "# Exact versions that the tests pass with: 'make constraints' writes them from .venv."; \
	  $(BIN)/python -m pip freeze --exclude-editable; } > constraints.txt

clean: ## Remove what was made here
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "chia-tea needs Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "chia-tea needs Python 3.11 or newer: make PYTHON=/path/to/python"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
