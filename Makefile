# make run    everything, on http://localhost:8000        make test    every test
# Needs Python 3.11 or newer and make; the rest is fetched into .venv, hashes checked.

PYTHON_IN := .venv/bin/python
# The dearest tests begin (tests/kinds.py). Drills wait for much, so that four workers keep two cores busy.
SPREAD := --dist loadfile --no-loadscope-reorder
SHARED := -n 4 $(SPREAD)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run manage shell dbshell test test-fast test-costs coverage check lock browser runtime demo dev

help:
	@echo "make run [PORT=8000] [ARGS=--no-demo]   start the portal, its workers, database and sandbox"
	@echo "make manage ARGS='showmigrations'       a command of Django's on the portal that runs; also: make shell, make dbshell"
	@echo "make test [ARGS='tests/vault -k seal']  run the tests (starts what they need, fetches a browser)"
	@echo "make test-fast                           those that need neither browser, process nor database"
	@echo "make test-costs [ARGS=tests/vault]       the same as test, and what it cost: the dearest tests, seconds by kind"
	@echo "make coverage [ARGS=tests/vault]         the same as test, and the lines and branches that ran, by package"
	@echo "make check                              static checks, migrations, settings for production"
	@echo "make lock [ARGS=--upgrade]              write the hashed locks anew from requirements*.in"
	@echo "make runtime                            install what production runs, and nothing else"

runtime:
	@.ci/environment runtime

demo:
	@.ci/environment demo

dev:
	@.ci/environment dev

run: export PORTAL_MODE ?= demo
run: demo
	@exec $(PYTHON_IN) manage.py up $(ARGS)

# Against what `make run` has started; PORTAL_VAR names its folder where that is not var/.
manage: demo
	@exec $(PYTHON_IN) -m portal.devserver.manage $(ARGS)

shell dbshell: demo
	@exec $(PYTHON_IN) -m portal.devserver.manage $@ $(ARGS)

test: dev browser
	@exec $(PYTHON_IN) -m pytest $(or $(ARGS),$(SHARED))

test-fast: dev
	@exec $(PYTHON_IN) -m pytest -n 2 $(SPREAD) -m fast -q $(ARGS)

test-costs: dev browser
	@exec $(PYTHON_IN) -m pytest -p tests.costs $(or $(ARGS),$(SHARED))

coverage: dev browser
	@rm -f var/coverage/*
	@$(PYTHON_IN) -m coverage run -m pytest $(or $(ARGS),$(SHARED)); $(PYTHON_IN) -m tests.coverage_by_package

browser: dev
	@.ci/browser

check: dev
	@exec .ci/check

# Each lock is the constraint of the next one, so that all have the same versions.
COMPILE := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --generate-hashes

lock: dev
	$(COMPILE) $(ARGS) requirements-uv.in -o requirements-uv.lock
	$(COMPILE) $(ARGS) requirements.in -o requirements.lock
	$(COMPILE) $(ARGS) requirements-demo.in -o requirements-demo.lock
	$(COMPILE) $(ARGS) requirements-dev.in -o requirements-dev.lock
