# SPDX-License-Identifier: Apache-2.0
# make demo   a virtual environment, the package, and a photo that performs: demo.mp4
# make test   the tests, but for the slow ones: less than 4 minutes on 2 cores
# make test-all  the slow ones too
# make docs   the documentation site, in site/: open site/index.html
# make clean  removes the environment, the video and the site again

# The first Python on the PATH that is new enough; name another with `make demo PYTHON=/path/to/python`.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$p && break; done)

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check
# A process a core, of which no more than 4; a file's tests share what they prepare.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile
INPUTS := pyproject.toml constraints.txt src/reenact/__init__.py

.PHONY: demo test test-all docs clean

demo: .venv/.installed
	$(BIN)/reenact animate src/reenact/assets/demo/astronaut.jpg talking -o demo.mp4 --crop --size 512 --compare

test: .venv/.installed-dev
	$(PYTEST) -m 'not slow'

test-all: .venv/.installed-dev
	$(PYTEST)

# Warnings are errors (`strict` in mkdocs.yml). The variable silences a notice of the theme about its successor.
docs: .venv/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

clean:
	rm -rf .venv demo.mp4 site

.venv/bin/python:
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
		echo "reenact needs Python 3.10 or later." >&2; \
		echo "None was found. Install one, then: make demo PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv

# The stamps say what was installed last, so that a second `make` starts at once.
.venv/.installed: .venv/bin/python $(INPUTS)
	$(PIP) -e . -c constraints.txt
	@touch $@

.venv/.installed-dev: .venv/.installed
	$(PIP) -e '.[dev,evaluation,build-head,generator]' -c constraints.txt
	@touch $@

.venv/.installed-docs: .venv/.installed
	$(PIP) -e '.[docs]' -c constraints.txt
	@touch $@
