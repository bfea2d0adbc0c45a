# The whole of tagtray in a folder: everything lands in .venv and .samples beside this file. Setting up fetches all
# that is ever needed, sample photos included; after that no target needs a network.

#: Python for .venv; empty: the first one here that is new enough and can make environments.
PYTHON ?=
#: Rounds of `make chaos`.
ROUNDS ?= 10
#: The folder that `make run` classifies; empty: sample photos.
DIR ?=
#: Tests that run at the same time; most of them wait more than they compute.
JOBS ?= 3

# Taken literally and handed over in the environment: spaces, quotes and dollars in a path are part of it.
export TARGET_DIR := $(value DIR)

VENV := .venv
BIN := $(VENV)/bin
# In the order of the folders, the slowest first: none of them is then waited for alone at the end.
# A process that dies is not replaced: pytest-xdist would wait for it for ever.
PYTEST = $(BIN)/python -m pytest -p tests.strict --numprocesses $(JOBS) --dist loadscope --no-loadscope-reorder \
	--max-worker-restart 0
SAMPLES := .samples/photos
#: What tests need besides, as PROGRAM:PACKAGE of Debian.
PROGRAMS := chromium:chromium exiftool:libimage-exiftool-perl redis-server:redis-server
#: The package that ships the sample photos, and those of its images that are photos.
SAMPLES_PACKAGE := scikit-image==0.26.0
SAMPLES_NAMES := astronaut.png camera.png chelsea.png clock_motion.png coffee.png coins.png \
	motorcycle_left.png motorcycle_right.png rocket.jpg

.PHONY: help run test test-fast check bench chaos
.DELETE_ON_ERROR:

help:
	@echo "make run             classify sample photos"
	@echo "make run DIR=FOLDER  classify every image below FOLDER"
	@echo "make test            run all tests"
	@echo "make test-fast       run those that need no server and no network"
	@echo "make check           lint, formatting, types, import rules and dead code"
	@echo "make bench           run the benchmarks, on images made from those below DIR or from the samples"
	@echo "make chaos ROUNDS=N  kill processes at random moments, N times, and count what is lost"
	@echo
	@echo "Each sets up what it needs at first. PIP_EXTRA_INDEX_URL=URL offers pip a further package index."

run: $(VENV)/.installed $(if $(TARGET_DIR),,$(SAMPLES))
	@case "$$TARGET_DIR" in "~/"*) TARGET_DIR="$$HOME/$${TARGET_DIR#??}";; esac; \
	$(BIN)/tagtray run -- "$${TARGET_DIR:-$(SAMPLES)}"

test: test-fast $(VENV)/.installed-debian
	@$(PYTEST) --ignore tests/unit || { \
	test $$? -eq 1 || exit; \
	echo "What failed runs once more, alone: a machine that is busy enough makes any of these too slow."; \
	$(BIN)/python -m pytest -p tests.strict --exitfirst --last-failed --last-failed-no-failures none; }

test-fast: $(VENV)/.installed-dev
	@$(PYTEST) tests/unit

check: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/vulture

bench: $(VENV)/.installed-dev $(if $(TARGET_DIR),,$(SAMPLES))
	@$(BIN)/python -m benchmarks --photos "$${TARGET_DIR:-$(SAMPLES)}"

chaos: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.chaos --rounds $(ROUNDS)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python $(SAMPLES)
	@echo "Installing tagtray into $(VENV); the first time PyTorch makes this take minutes."
	@$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/python $(SAMPLES)
	@echo "Installing tagtray and its tests into $(VENV); the first time PyTorch makes this take minutes."
	@$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(VENV)/.installed $@

# Programs that no package of Python brings.
$(VENV)/.installed-debian: Makefile | $(BIN)/python
	@missing=; for program in $(PROGRAMS); do \
		command -v "$${program%%:*}" >/dev/null || missing="$$missing $${program#*:}"; \
	done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "Installing$$missing with apt-get."; \
		apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null; \
	elif [ -n "$$missing" ]; then \
		echo "The tests need$$missing: as root, apt-get install$$missing (Debian) installs them." >&2; \
		exit 1; \
	fi
	@touch $@

# The version that the tests run on comes first. A python that starts may still lack the modules for an environment.
$(BIN)/python:
	@for python in $${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3}; do \
		if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			exec "$$python" -m venv $(VENV); \
		fi; \
	done; \
	echo "tagtray needs Python 3.11 or newer with its venv module (Debian: python3-venv); set PYTHON= to it." >&2; \
	exit 1

# They appear under their name all at once: an interrupted fetch begins anew.
$(SAMPLES): | $(BIN)/python
	@echo "Fetching sample photos."
	@rm -rf .samples && mkdir -p .samples/new
	@$(BIN)/python -m pip download --disable-pip-version-check -q --no-deps -d .samples $(SAMPLES_PACKAGE)
	@$(BIN)/python -m zipfile -e .samples/*.whl .samples/wheel
	@cd .samples/wheel/skimage/data && mv $(SAMPLES_NAMES) ../../../new/
	@mv .samples/new $@ && rm -r .samples/wheel .samples/*.whl
