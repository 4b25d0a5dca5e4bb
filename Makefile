# Two commands do everything: `make run` (the main job on an emulated board) and `make test`.
# Each sets up what it needs; running them again costs nothing.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
JOBS   ?= auto

.PHONY: help setup run test unit lint format report wheel clean

help:
	@echo "make run     benchmark the visual wake words model on an emulated nucleo-f746zg"
	@echo "make test    all tests that need no board"
	@echo "make unit    the tests that need neither emulator nor compiler"
	@echo "make lint    ruff, mypy, import-linter, clang-format"
	@echo "make setup   only install what the above need"
	@echo "make report  rebuild reports/mcunet-vs-baseline on emulated cores"
	@echo "make wheel   build dist/*.whl"

# Without an editable install's metadata the console script would not exist, so pip installs the
# checkout itself; the stamp is renewed when the list of dependencies changes.
$(VENV)/run.stamp: pyproject.toml tools/system-packages.sh
	tools/system-packages.sh
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp
	tools/system-packages.sh --lint
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

setup: $(VENV)/run.stamp

run: $(VENV)/run.stamp
	$(BIN)/bench run --board nucleo-f746zg --model vww

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

unit: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n $(JOBS) tests/unit tests/property

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports
	find firmware tests -name '*.[ch]' -not -path '*/golden/*' | xargs clang-format --dry-run --Werror

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	find firmware tests -name '*.[ch]' -not -path '*/golden/*' | xargs clang-format -i

report: $(VENV)/dev.stamp
	$(BIN)/python tools/mcunet_report.py

wheel: $(VENV)/dev.stamp
	$(BIN)/python -m build --wheel --no-isolation

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
