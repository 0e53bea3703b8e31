# setup check test docs bench bench-records bench-serve bench-worlds bench-hostile bench-train demo examples. Needs make and a Python 3.11-3.13, nothing else.
PYTHON ?= $(shell for p in python3 python3.12 python3.13 python3.11 python; do \
	$$p -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
WEB := .cache/web
TORCH := $(shell sed -n 's/^torch==//p' constraints.txt)
# Address of an index that has the CPU builds of torch, where pip is not configured with one.
TORCH_INDEX ?=
export PIP_CONSTRAINT := $(abspath constraints.txt)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Spinning worker threads cost more than they give on small machines.
export OMP_NUM_THREADS ?= 1

.PHONY: help setup check test docs bench bench-records bench-first-hour bench-worlds bench-serve bench-hostile bench-train demo examples clean
help:
	@echo "make demo            the whole life on 10,000 real records, with a page at the end"
	@echo "make examples        the examples on real records, measured; needs npm and apt-get"
	@echo "make test            all tests"
	@echo "make check           format, lint, types, import rules"
	@echo "make docs            the generated reference pages"
	@echo "make bench           every benchmark;  make bench-records  the one against other linkers"
	@echo "make bench-first-hour  what can be told without labels, and duplicates of a million rows, beside linkers"
	@echo "make bench-worlds    what is promised, in simulated worlds where the truth is known"
	@echo "make bench-serve     requests a second: verify beside a bare route, search of 10,000 records"
	@echo "make bench-hostile   what others notice of a service under attack"
	@echo "make bench-train     what training costs and reaches, beside the packages that people use"
	@echo "make setup           the virtual environment only; the others run it when needed"

setup: $(VENV)/.ready

# On Linux the plain torch of the package index is the CUDA build: the CPU build carries a +cpu
# version, looked for where pip is configured to look and in TORCH_INDEX.
$(VENV)/.ready: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11-3.13 with ensurepip found"; \
		echo "hint: install one (Debian: apt install python3-venv) or say make PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || { echo "making $(VENV) with $(PYTHON)"; $(PYTHON) -m venv $(VENV); }
	@$(BIN)/python -m pip install -q "pip<26"
	@echo "installing gemel and its tools into $(VENV) (a few minutes the first time)"
	@if [ "$$(uname -s)" = Linux ] && ! $(BIN)/python -c "import torch" 2>/dev/null; then \
		$(BIN)/python -m pip install -q "torch==$(TORCH)+cpu" \
			$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) 2>/dev/null || \
		echo "note: no CPU build of torch $(TORCH) found, taking the usual one (about 3 GB);" \
			"make setup TORCH_INDEX=ADDRESS names an index that has it"; fi
	@$(BIN)/python -m pip install -q -e ".[dev]"
	@touch $@

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

test: setup $(WEB)/.ready
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

# Exported encoders are tried in a browser, where Chromium is installed.
$(WEB)/.ready: tests/web/package.json
	@mkdir -p $(WEB) && cp tests/web/package.json $(WEB)/
	@npm install --prefix $(WEB) --silent --no-audit --no-fund --ignore-scripts && touch $@ || \
		echo "note: no npm, or no package onnxruntime-web: tests in a browser are left out"

docs: setup
	$(BIN)/python docs/generate.py

# The peers live in an environment of their own, which the script makes under .cache.
bench-records: setup
	$(BIN)/python bench/bench_records.py $(ARGS)

# Splits that stand in results/first_hour.json are not measured again; a million rows, in one file and in two, are.
bench-first-hour: setup
	-$(BIN)/python bench/bench_million.py
	-$(BIN)/python bench/bench_million.py --two --out bench/results/million-two.json
	$(BIN)/python bench/bench_first_hour.py $(ARGS)

# Promises and intervals in simulated worlds; fails if a target is missed. About ten minutes.
bench-worlds: setup
	$(BIN)/python bench/bench_worlds.py $(ARGS)

# What others notice of a service under attack. About two minutes on a quiet machine.
bench-hostile: setup
	$(BIN)/python bench/bench_hostile.py $(ARGS)

# The demo makes the release and the 10,000 records that are searched. The first script needs wrk
# (apt-get install wrk); the last one reads sentences, DATA names the folder that holds them.
bench-serve: setup
	$(BIN)/gemel demo --folder .cache/bench-demo --no-serve
	$(BIN)/python bench/bench_serve.py $(ARGS)
	$(BIN)/python bench/bench_serve.py --project .cache/bench-demo $(ARGS)
	$(BIN)/python bench/bench_serve.py --images $(ARGS)
	$(BIN)/python bench/bench_search.py --project .cache/bench-demo
	$(BIN)/python bench/bench_start.py
	$(BIN)/python bench/bench_load.py
	$(BIN)/python bench/bench_large.py
	$(if $(DATA),$(BIN)/python bench/bench_texts.py $(DATA))

# Parts that stand in results/train.json are not measured again: ARGS="--sections triplets export".
bench-train: setup
	$(BIN)/python bench/bench_train.py $(ARGS)

bench: setup
	@for script in bench/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

demo: setup
	@$(BIN)/gemel demo $(ARGS)

# What needs npm or apt-get stops with a hint where there is none; make examples ARGS="faces code" runs some.
examples: setup
	$(BIN)/python -m pip install -q resvg-py
	$(BIN)/python examples/measure.py $(ARGS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
