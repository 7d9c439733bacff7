# What people type. Every target sets up what it needs; nothing is installed outside .venv and the user's cache.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8
ENVIRONMENT ?= dev
SYNC := --quiet --frozen --compile-bytecode --python $(BIN)/python
export UV_PROJECT_ENVIRONMENT := $(VENV)
# The tests start thousands of Pythons; each would compile the same sources.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: up setup setup-tests engine model test test-matrix check check-style format bench bench-serving bench-endurance docs golden clean

up: engine model ## from a fresh clone to a model that answers over HTTP
	@$(BIN)/bentoship up $(ENVIRONMENT)

setup: $(VENV)/installed ## the virtual environment, exactly as uv.lock says

$(VENV)/installed: pyproject.toml uv.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "bentoship needs Python 3.11 to 3.13, and $(PYTHON) is %d.%d; name another one: make PYTHON=python3.12" % v)'
	@echo "installing what uv.lock names into $(VENV)" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/uv --version 2>/dev/null | grep -q '^uv $(UV_VERSION)' || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv sync $(SYNC) --inexact --no-default-groups --extra sample
	@touch $@

setup-tests: $(VENV)/installed-tests ## and what tests, types and style need

$(VENV)/installed-tests: $(VENV)/installed
	@$(BIN)/uv sync $(SYNC) --extra sample --extra aws --extra gcp --extra azure --extra onnx --extra parquet
	@touch $@

engine: setup ## Pulumi's command line: found, or installed once for this machine
	@$(BIN)/python -m bentoship.engine

model: models/salary.joblib

models/salary.joblib: $(VENV)/installed models/train.py models/hiring.csv
	@$(BIN)/python models/train.py

test: setup-tests engine model ## every test; says what was skipped and why
	@$(BIN)/python -m pytest -n 2 --dist loadgroup

test-matrix: setup-tests engine ## every type of resource and every fault, every play of a rehearsal, what takes long
	@BENTOSHIP_MATRIX=whole $(BIN)/python -m pytest -n 2 --dist loadgroup -rP tests/operations tests/provider/test_tagged.py tests/rehearsal tests/release \
	  tests/serving/test_bad_input.py

check: check-style ## what to run before a commit: style, types, imports, quick tests; under a minute
	@$(BIN)/python -m pytest -q -m "not slow" -n 2

check-style: setup-tests
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: setup-tests
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

bench: engine model ## how long things take on this machine
	@$(BIN)/python bench/bench.py

bench-serving: .bench/installed ## how fast a release answers, next to others; needs wrk
	@.bench/bin/python bench/serving/run.py

bench-endurance: .bench/installed ## what a release keeps in memory, and how it bears too much; needs wrk
	@.bench/bin/python bench/serving/endurance.py

.bench/installed: bench/serving/requirements.txt $(VENV)/installed
	@test -x .bench/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python .bench
	@$(BIN)/uv pip install --quiet --python .bench/bin/python -r bench/serving/requirements.txt
	@touch $@

golden: setup-tests ## write what each target declares again, for review
	@$(BIN)/python tests/targets/golden.py

docs: setup ## write the generated pages again
	@$(BIN)/python docs/generate.py

clean: ## stop what `make up` has started, then remove what was made
	@test ! -x $(BIN)/bentoship || $(BIN)/bentoship destroy $(ENVIRONMENT) --yes
	@left=$$(find .bentoship/state -name '*.json' -path '*/stacks/*' 2>/dev/null); test -z "$$left" || { \
	  echo "make: what these stacks have made would be forgotten; bentoship destroy their environments first:"; \
	  echo "$$left"; exit 1; }
	@rm -rf $(VENV) .bench .bentoship models/*.joblib .pytest_cache .mypy_cache .ruff_cache
