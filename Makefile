# What a user types. Each target sets up what it needs: a virtual environment with hash-locked requirements.

.PHONY: run test test-crash lint bench clean lock
.DEFAULT_GOAL := run

PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
JOB ?= jobs/quickstart.yaml

run: $(VENV)/.run-ready  ## make the pictures of JOB
	@$(BIN)/batchgen run $(JOB)

test: $(VENV)/.dev-ready  ## run the whole suite
	@$(BIN)/pytest -n 3 --dist worksteal

test-crash: $(VENV)/.dev-ready  ## kill runs in every way and see that nothing is lost or paid twice; ARGS="--only power"
	@$(BIN)/python tests/crash $(ARGS)

lint: $(VENV)/.dev-ready  ## formatting, lint, types, import directions
	@$(BIN)/ruff format --check -q
	@$(BIN)/ruff check -q
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

bench: $(VENV)/.dev-ready  ## measure what the README says of speed, or one PART of it
	@$(BIN)/python -m benchmarks $(PART)

clean:  ## remove what was set up and built; pictures in output/ stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find batchgen benchmarks tests -name __pycache__ -prune -exec rm -rf {} +

lock: $(VENV)/.dev-ready  ## find the newest requirements again and lock them by hash
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --upgrade --group build pyproject.toml -o requirements/run.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --upgrade --group dev pyproject.toml -o requirements/dev.txt

$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "batchgen needs Python 3.11 or newer; install it (apt install python3 python3-venv) and try again" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "$(PYTHON) can't make a virtual environment; install its venv module (apt install python3-venv) and try again" >&2; exit 2; }

$(VENV)/.run-ready: requirements/run.txt pyproject.toml | $(BIN)/pip
	@echo "installing batchgen into $(VENV) (once) …" >&2
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/run.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev-ready: requirements/dev.txt pyproject.toml | $(BIN)/pip
	@echo "installing batchgen and its tools into $(VENV) (once) …" >&2
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.run-ready
