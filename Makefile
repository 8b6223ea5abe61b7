# Everything needs Python 3.11 or later, git and make; the rest is installed into .venv from the lock files.
# `make help` lists what can be done.

VENV := .venv
BIN := $(VENV)/bin
PYTEST_WORKERS ?=
PYTEST_ARGS ?=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run manage test test-long bench lint format schema screenshots messages lock install install-dev clean

help: ## list what can be done
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

# One direct command, so that no shell stands between make's signals and the service.
run: install ## run the service in the foreground on 127.0.0.1:$PORT (default 8000)
	@$(BIN)/python manage.py serve

manage: install ## run a management command: make manage ARGS="create_user me@example.org"
	@$(BIN)/python manage.py $(ARGS)

test: install-dev ## install what is missing, then lint, types, import rules and all tests
	@PYTEST_WORKERS=$(PYTEST_WORKERS) PYTEST_ARGS="$(PYTEST_ARGS)" sh deploy/tests.sh "not long"

test-long: install-dev ## the same tests with larger numbers, and the long ones
	@TEST_LONG=1 PYTEST_WORKERS=$(PYTEST_WORKERS) PYTEST_ARGS="$(PYTEST_ARGS)" sh deploy/tests.sh "long or not long"

bench: install-dev ## measure cost, throughput, web servers, limiter and floods (PostgreSQL and Redis wanted)
	@$(BIN)/python -m tests.bench

lint: install-dev ## ruff, mypy and the import rules
	@sh deploy/checks.sh

format: install-dev ## format the code and mend what ruff can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

schema: install-dev ## write docs/openapi.yaml anew from the code
	@PRODUCT_NAME= $(BIN)/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

screenshots: install-dev ## draw the pages for docs/images/ anew (needs chromium)
	@$(BIN)/python -m tests.pages.screenshots

messages: install-dev ## collect and compile the words of the pages (needs gettext)
	@for app in secure_auth audit; do \
		(cd $$app && ../$(BIN)/python ../manage.py makemessages --locale de --no-location --no-wrap --no-obsolete) && \
		msgfmt --check-format -o $$app/locale/de/LC_MESSAGES/django.mo $$app/locale/de/LC_MESSAGES/django.po || exit 1; \
	done

lock: ## pin the newest fitting versions with their hashes (needs uv)
	@sh deploy/lock.sh

install: ## the local environment for running
	@sh deploy/venv.sh requirements.lock

install-dev: ## the local environment for testing
	@sh deploy/venv.sh requirements-dev.lock

clean: ## remove the local environment and caches; never the data
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
