# Works with make and Python >= 3.11 alone. The first target lists the others.
#
# PYTHON      the interpreter that makes the virtual environment
# DATA        the folder that `make demo` fills and serves
# JOBS        how many processes the tests may use
# SHEET       the folder whose files `make contact-sheet` shows

PYTHON := $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
DATA ?= demo-data
JOBS ?= auto
SHEET ?= ../shared/data
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKS := requirements/runtime.txt requirements/build.txt
# Programs that tests need beyond Python, and the Debian package each comes from.
SYSTEM_PROGRAMS := storescu dciodvfy nginx varnishd chromium strace node npm Orthanc
SYSTEM_PACKAGES := dcmtk dicom3tools nginx varnish chromium fonts-dejavu-core strace nodejs npm orthanc orthanc-dicomweb

# The tests start hundreds of processes: where nothing compiled is kept, each of them compiles all there is.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo test check fix bench bench-client bench-convert bench-dimse bench-index conformance man contact-sheet lock system clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/runtime.stamp ## sample studies in a fresh data folder, served on 127.0.0.1:8104
	@$(BIN)/dicomgate demo --data $(DATA)

test: $(VENV)/development.stamp system viewers ## everything, as continuous integration runs it
	@$(MAKE) --no-print-directory lint
	$(BIN)/pytest -n $(JOBS) --dist loadgroup -q

check: $(VENV)/development.stamp lint ## the fast loop: format, lint, types, floors, fast tests
	DICOMGATE_EXAMPLES=few $(BIN)/pytest -n $(JOBS) --dist loadgroup -q -m "not slow and not crash and not interop" \
		--ignore=tests/crash --ignore=tests/interop --ignore=tests/hostile

.PHONY: lint
lint: $(VENV)/development.stamp
	$(BIN)/ruff format --quiet --check .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

fix: $(VENV)/development.stamp ## put the format right, and what the linter can
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --quiet --fix .

bench: $(VENV)/development.stamp ## measure against the raw limits of this machine
	$(BIN)/python -m bench

bench-client: $(VENV)/development.stamp ## the client beside dicomweb-client and curl, of one server in one run (about five minutes)
	$(BIN)/python -m bench client

bench-convert: $(VENV)/development.stamp ## a series to one object beside copying its files, from memory and from the disk (about two minutes)
	$(BIN)/python -m bench convert

bench-dimse: $(VENV)/development.stamp ## the DIMSE door beside storescp, the gateway beside getscu, in one run (about a minute)
	$(BIN)/python -m bench.dimse

bench-index: $(VENV)/development.stamp ## an index of a million instances: questions and stores as it grows (about a quarter of an hour)
	$(BIN)/python -m bench.large_index

conformance: $(VENV)/development.stamp ## the tables of docs/conformance.md anew, from the code
	@$(BIN)/python -c 'from pathlib import Path; from dicomgate.dicomweb import conformance; from dicomgate.dimse import conformance as dimse; page = Path("docs/conformance.md"); \
	page.write_text(page.read_text("utf-8").partition("## Transactions")[0] + conformance.format_markdown() + "\n" + dimse.format_markdown(), "utf-8")'

man: $(VENV)/runtime.stamp ## manual pages of every verb, in man/man1/
	@$(BIN)/dicomgate admin man man/man1

contact-sheet: $(VENV)/development.stamp ## pictures of every file of SHEET on pages to look at, in contact-sheet/
	$(BIN)/python -m bench.contact_sheet $(SHEET)

clean: ## remove the environment and the demonstration's data
	rm -rf $(VENV) demo-data

# ---- the environment: two stamps, so that a demonstration installs only what runs

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "dicomgate needs Python 3.11 or newer; say PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(MAKE) --no-print-directory debian-venv
	@echo "Making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV)

.PHONY: debian-venv
debian-venv:
	@if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		echo "Installing python3-venv"; \
		apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends python3-venv >/dev/null; \
	else echo "Python's venv module is missing; on Debian: apt-get install python3-venv"; exit 1; fi

$(VENV)/runtime.stamp: $(LOCKS) pyproject.toml | $(BIN)/python
	@echo "Installing what dicomgate runs with"
	@$(PIP) install --require-hashes $(LOCKS:%=-r %)
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/development.stamp: requirements/development.txt $(VENV)/runtime.stamp
	@echo "Installing what dicomgate is developed with"
	@$(PIP) install --require-hashes -r requirements/development.txt
	@touch $@

# ---- other people's programs that some tests talk to

system:
	@missing=""; for program in $(SYSTEM_PROGRAMS); do PATH="$$PATH:/usr/sbin" command -v $$program >/dev/null || missing="$$missing $$program"; done; \
	[ -z "$$missing" ] && exit 0; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		echo "Installing $(SYSTEM_PACKAGES)"; \
		apt-get -qq update; for package in $(SYSTEM_PACKAGES); do \
			RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $$package >/dev/null \
			|| echo "Could not install $$package. The tests that need it skip and say so."; done; \
	else echo "Not found:$$missing. The tests that need them skip and say so."; fi

.PHONY: viewers
viewers: $(VENV)/development.stamp system # other people's viewers, for tests that drive them in a browser
	@[ -f $(VENV)/viewers.stamp ] && [ ! requirements/viewers.txt -nt $(VENV)/viewers.stamp ] && exit 0; \
	rm -rf $(VENV)/viewers; echo "Fetching viewers for the tests"; \
	if $(BIN)/python requirements/viewers.py $(VENV)/viewers; then touch $(VENV)/viewers.stamp; \
	else echo "Could not fetch the viewers. The tests that need them skip and say so."; fi

# ---- the locked versions: made from pyproject.toml and the public index alone

COMPILE := env -u PIP_FIND_LINKS -u PIP_EXTRA_INDEX_URL -u PIP_INDEX_URL PIP_CONFIG_FILE=/dev/null \
	../$(VENV)/lock/bin/pip-compile --quiet --no-config --upgrade --generate-hashes --strip-extras --allow-unsafe \
	--annotation-style line \
	--no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options
PYPROJECT := ../$(VENV)/lock/bin/python -c 'import sys, tomllib; \
	project = tomllib.load(open("../pyproject.toml", "rb")); \
	extras = project["project"]["optional-dependencies"]; \
	print(*{"runtime": project["project"]["dependencies"] + [name for extra in extras if extra != "all" for name in extras[extra]], \
	"development": project["dependency-groups"]["development"], \
	"build": [name for name in project["dependency-groups"]["development"] if name.startswith(("hatchling", "editables"))] \
	}[sys.argv[1]], sep="\n")'

$(VENV)/lock: | $(BIN)/python
	@$(PYTHON) -m venv $@
	@$@/bin/python -m pip --disable-pip-version-check --quiet install pip-tools

lock: $(VENV)/lock ## choose the newest versions that pyproject.toml admits, with the hashes of every platform's files
	@cd requirements && for set in runtime build development; do \
		case $$set in runtime) with="";; *) with="-c runtime.txt";; esac; \
		$(PYPROJECT) $$set | $(COMPILE) $$with -o $$set.txt - && \
		sed -i.was -e "s|-r -|pyproject.toml ($$set)|" -e "s|-c runtime.txt, ||" $$set.txt && rm -f $$set.txt.was; done
