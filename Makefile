# `make demo` shows the main job, `make test` runs the tests. Both set up what they need, and need no network after
# the first time.
PYTHON ?= python3
ROUNDS ?= 100
STORIES ?= 1000
SERVER_ROUNDS ?= 20
DATA ?= ../shared/eval
OUT ?= .cache/eval
VENV := .venv
BIN := $(VENV)/bin
# A virtual environment in which pip cannot ask questions or nag.
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check --no-input

# Exactly the packages that were tested: the versions and hashes in locks/.
INSTALL_LOCKED = $(PIP) install --require-hashes --requirement
INSTALL_US = $(PIP) install --no-deps --no-build-isolation --editable .
LOCK = $(BIN)/uv pip compile pyproject.toml - --universal --python-version 3.11 --generate-hashes --no-header --quiet $(UPGRADE)

.PHONY: setup demo test torture eval check format lock clean

setup: $(VENV)/.ready

demo: $(VENV)/.ready
	@$(BIN)/behavior demo

# More processes than cores may be, since most tests wait; one that has nothing left takes tests over from another.
test: $(VENV)/.ready-to-test
	$(BIN)/python -m pytest --numprocesses 4 --dist worksteal

# Kill everything at ever other moments, and at each single step: make torture ROUNDS=1000. A round of the kill loop,
# which comes first, takes a second.
torture: $(VENV)/.ready-to-test
	BEHAVIOR_TORTURE_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest tests/acceptance/test_kill_loop.py
	BEHAVIOR_TORTURE_STORIES=$(STORIES) $(BIN)/python -m pytest tests/integration/test_conservation.py
	BEHAVIOR_TORTURE_ROUNDS=$(SERVER_ROUNDS) $(BIN)/python -m pytest --timeout=0 \
		tests/integration/test_worker_crash_points.py tests/integration/test_recovery.py

# What the product says to recorded data, and the scores of it (docs/evaluation.md): make eval SETS=parse,real. With
# SAVE_THRESHOLDS=FILE the thresholds of recall are kept, and with THRESHOLDS=FILE they are used on other data. With
# EMBEDDER=offline or multilingual one model is used alone.
eval: $(VENV)/.ready
	@$(BIN)/python -m evaluation --data "$(DATA)" --out "$(OUT)" $(if $(SETS),--sets "$(SETS)") \
		$(if $(EMBEDDER),--embedder "$(EMBEDDER)") $(if $(THRESHOLDS),--thresholds "$(THRESHOLDS)") \
		$(if $(SAVE_THRESHOLDS),--save-thresholds "$(SAVE_THRESHOLDS)")

check: $(VENV)/.ready-to-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.ready-to-test
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

# After a change of pyproject.toml. The newest versions of everything: make lock UPGRADE=--upgrade
lock: $(VENV)/.ready-to-test
	@$(PIP) install uv
	printf 'hatchling\neditables\n' | $(LOCK) --output-file locks/plugin.txt
	printf 'hatchling\neditables\n' | $(LOCK) --output-file locks/test.txt --extra test --constraint locks/plugin.txt

clean:
	rm -rf $(VENV) .cache

$(VENV)/.ready: pyproject.toml locks/plugin.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	@echo "Setting up $(VENV): once, a minute or so."
	@$(PYTHON) -m venv $(VENV) || { echo "No venv module: on Debian and Ubuntu, apt install python3-venv" >&2; exit 1; }
	@$(INSTALL_LOCKED) locks/plugin.txt
	@$(INSTALL_US)
	@touch $@

$(VENV)/.ready-to-test: $(VENV)/.ready locks/test.txt
	@$(INSTALL_LOCKED) locks/test.txt
	@touch $@
