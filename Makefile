# `make run` shows what vibench does; `make test` checks that it does it. Both need Python 3.11 or newer, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
METHODS ?= telea,navier_stokes,temporal_median,last_seen,flow_propagation,frame_baseline,vinet
PROTOCOL ?= bundled
OUTPUT ?= results
# Frames that `make bench` works on; 432x240 takes some minutes.
SIZE ?= 64x64
# Two test processes with one thread each beat one process with two on small tensors.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help run test test-slow lint types format bench weights-check docs docs-check docs-results docs-pictures \
  docs-departures gpu torture dist site clean

help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "vibench needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.installed

run: $(VENV)/.installed ## Measure the bundled clips with the fast methods and write the report.
	$(BIN)/vibench run --methods $(METHODS) --protocol $(PROTOCOL) --output $(OUTPUT)
	$(BIN)/vibench report $(OUTPUT) --output report
	@echo "open file://$(CURDIR)/report/index.html"

test: $(VENV)/.installed-dev ## Install and run the tests (some minutes on two cores).
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS)

test-slow: $(VENV)/.installed-dev ## The tests that take more than about 20 seconds each.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow

lint: $(VENV)/.installed-dev ## Style.
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.installed-dev ## Types, strictly.
	$(BIN)/mypy

format: $(VENV)/.installed-dev ## Put the code into its format.
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

weights-check: $(VENV)/.installed-dev ## Hold the bundled weights against their model cards.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/package/test_model_cards.py

docs: $(VENV)/.installed-dev ## Make the generated pages whose inputs are at hand; say what the others need.
	OMP_NUM_THREADS=1 $(BIN)/python docs/make

docs-check: $(VENV)/.installed-dev ## Say how generated pages differ from what their scripts make.
	OMP_NUM_THREADS=1 $(BIN)/python docs/make --check

docs-results: $(VENV)/.installed-dev ## Tables of DAVIS in docs/results.md and README.md, from RUNS="NEWEST ...".
	$(BIN)/python docs/make/results.py $(RUNS)

docs-pictures: $(VENV)/.installed-dev ## The pictures of methods in docs/images, from the bundled clips (a minute).
	$(BIN)/python docs/make/pictures.py

docs-departures: $(VENV)/.installed-dev ## What each departure is worth, in docs/training.md, from PHOTOS=FOLDER.
	$(BIN)/python docs/make/departures.py --photos $(PHOTOS) --output runs/departures

bench: $(VENV)/.installed-dev ## Benchmarks of pieces and methods at SIZE=64x64 or 432x240; JSON in .benchmarks/.
	OMP_NUM_THREADS=1 BENCH_SIZE=$(SIZE) $(BIN)/python -m pytest tests/benchmarks \
	  -o addopts= -q --benchmark-only --benchmark-autosave

gpu: $(VENV)/.installed-dev ## Test and measure this GPU (or CPU) in under nine minutes; ARGS="--toy --folder FOLDER".
	OMP_NUM_THREADS=1 $(BIN)/python docs/make/device.py $(ARGS)

torture: $(VENV)/.installed-dev ## Damaged files and runs, and kills at random moments (an hour); ARGS="--only png".
	OMP_NUM_THREADS=1 $(BIN)/python tests/torture/torture.py $(ARGS)
	[ -n '$(ARGS)' ] || OMP_NUM_THREADS=1 $(BIN)/python tests/torture/kills.py --times 100 --jobs 1,2

dist: $(VENV)/.installed-dev ## Build wheel and sdist twice, equal to the byte, and check them (installs twine and the like).
	$(BIN)/python -m pip install --quiet --editable '.[release]'
	rm -rf dist && $(BIN)/python docs/make/dist.py dist
	$(BIN)/twine check --strict dist/* && $(BIN)/check-wheel-contents dist/*.whl

site: $(VENV)/.installed-dev ## Build the documentation site, strictly, into site/.
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	OMP_NUM_THREADS=1 $(BIN)/mkdocs build --strict

clean: ## Remove what the other targets made, results too.
	rm -rf $(VENV) report $(OUTPUT) .pytest_cache .mypy_cache .ruff_cache .hypothesis
