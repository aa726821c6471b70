# Perch: `make demo` and `make test` install all they need. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
BASE_PYTHON ?= $(shell command -v python3.11 || command -v python3)
STAMP := $(VENV)/.installed
SYSTEM_PACKAGES := mosquitto mosquitto-clients chromium graphviz libseccomp2 fonts-liberation lrzsz valgrind gcc-multilib
ARGS ?=
MINUTES ?= 5
TEST_WORKERS ?= 2

.PHONY: help setup system demo test check bench soak fuzz pictures generate lock clean

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

setup: system $(STAMP) ## the virtual environment and the system packages

# A package that is there already costs nothing; where we may not install, say what to type.
system:
	@missing=(); for package in $(SYSTEM_PACKAGES); do \
	  dpkg -s $$package >/dev/null 2>&1 || missing+=($$package); done; \
	if [ $${#missing[@]} -gt 0 ]; then \
	  sudo=""; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
	  if command -v apt-get >/dev/null && { [ -z "$$sudo" ] || sudo -n true 2>/dev/null; }; then \
	    echo "Installing $${missing[*]} (system packages)"; \
	    $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends "$${missing[@]}" >/dev/null; \
	  else \
	    echo "Perch needs some system packages that may not be installed from here. Type this, then try again:"; \
	    echo "  sudo apt-get install --no-install-recommends $${missing[*]}"; exit 1; \
	  fi; fi

$(STAMP): requirements/develop.txt requirements/board32.txt pyproject.toml
	@$(BASE_PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Perch needs Python 3.11 or newer; $(BASE_PYTHON) is older. Set BASE_PYTHON=/path/to/python3.11."; exit 1; }
	@test -x $(BIN)/python || $(BASE_PYTHON) -m venv $(VENV)
	@echo "Installing the Python packages into $(VENV)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/develop.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip download -q --disable-pip-version-check --require-hashes --no-deps --no-binary :all: --no-build-isolation -d $(VENV)/board32 -r requirements/board32.txt
	@touch $@

demo: setup ## a wing on this machine; ARGS=--auto plays one message through it
	@$(BIN)/perch demo $(ARGS)

test: setup check ## every test
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile -m "not soak" --ignore tests/whole $(ARGS)
	@echo "The whole wing in real processes, with the machine to itself"
	@$(BIN)/python -m pytest -m "not soak" tests/whole

check: setup ## lint, types, import rules, dead links
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python hardware/generate.py --check
	@$(BIN)/python -m pytest tests/whole/test_rules.py

bench: setup ## the figures, each beside its limit or its peer
	@$(BIN)/python -m sim.bench $(ARGS)

soak: setup ## the tests that take long
	@$(BIN)/python -m pytest -m soak --timeout 3600 $(ARGS)

fuzz: setup ## look for inputs that break something; MINUTES=n
	@$(BIN)/python -m tests.fuzz.run --minutes $(MINUTES) $(ARGS)

pictures: setup ## the screenshots in docs/pictures, from the running pages
	@$(BIN)/python -m tests.firmware.page.pictures
	@$(BIN)/python -m tests.hub_daemon.staff.pictures
	@$(BIN)/python -m tests.hub_daemon.wire_picture
	@$(BIN)/python -m tests.sim.box.pictures

generate: setup ## every generated file
	@$(BIN)/python hardware/generate.py

lock: setup ## pin requirements/*.in again, with hashes
	@$(BIN)/python -m pip install -q pip-tools
	@cd requirements && for name in runtime develop; do ../$(BIN)/pip-compile -q --generate-hashes --strip-extras --allow-unsafe --no-header \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links -o $$name.txt $$name.in; done

clean: ## what was built, not what was saved
	@rm -rf build .mypy_cache .ruff_cache *.egg-info
