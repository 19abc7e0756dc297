# Two commands set up everything from nothing: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
# A process a core, of one thread; the tests of a file, and those that share a directory, stay in one of them.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadgroup --no-loadscope-reorder
CODE   := regimed.py daemon regime registry tests benchmarks docs

# What is imported is compiled once, and nothing else is, also where the environment forbids to keep it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test soak check format lint types contracts fast bench docs lock clean

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "regimed needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip # the one of Python 3.11 takes twice as long
	$(BIN)/python -m pip install --quiet --no-compile --constraint constraints.txt --editable '.[demo,dev]'
	touch $(READY)

demo: setup
	$(BIN)/regimed demo

test: lint types contracts
	$(PYTEST) -m 'not long'

soak: setup
	$(PYTEST) -m long
	REGIMED_TESTS=thorough $(PYTEST) tests/property

check: lint types contracts fast

format: setup
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

lint: setup
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)

types: setup
	$(BIN)/mypy

contracts: setup
	$(BIN)/lint-imports

fast: setup
	$(PYTEST) -m 'not slow'

bench: setup
	$(BIN)/python benchmarks/runtime.py
	$(BIN)/python benchmarks/bars.py
	$(BIN)/python -m benchmarks.features
	$(BIN)/python -m benchmarks.arrival
	$(BIN)/python -m benchmarks.training --no-peers
	$(BIN)/python -m benchmarks.registry
	$(BIN)/python -m benchmarks.gate
	$(BIN)/python benchmarks/drift.py

docs: setup
	$(BIN)/python docs/generate.py

# Writes down the versions that were tested together.
lock:
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[demo,dev]'
	$(BIN)/python -m pip freeze --exclude-editable --exclude regimed > constraints.txt
	touch $(READY)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
