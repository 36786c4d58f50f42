# Every target sets up what it needs. `make help` lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip --quiet --disable-pip-version-check
unexport PYTHONDONTWRITEBYTECODE  # else each of a thousand processes compiles all of our modules again

.PHONY: help demo test lint interop torture torture-certs bench lock clean
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "python 3.11 or newer is needed (PYTHON=...)"; exit 2; }
	@echo "setting up $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	@echo "installing the locked dependencies ..."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@echo "installing the locked development tools ..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(VENV)/.runtime ## file one signed VAT declaration, end to end, and prove the receipt
	@$(BIN)/efile demo

test: $(VENV)/.dev ## the whole test suite, under 15 minutes on 2 cores
	@sh tests/tools.sh xmlsec1 softhsm2-util postgres rabbitmq-server haproxy nginx cc ip chromium certutil
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: $(VENV)/.dev ## ruff, mypy --strict, and the drawing's arrows
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

$(VENV)-public/.fetched: tests/interop/public.lock | $(BIN)/python
	@$(PIP) download --no-deps --require-hashes -r tests/interop/public.lock -d $(VENV)-public && touch $@ \
	  || echo "!!! MISSING: the public material could not be fetched; the tests that read it are SKIPPED" >&2

interop: $(VENV)/.dev $(VENV)-public/.fetched ## independent oracles beside us: the JDK, pdfsig, EU DSS, endesive, Chromium
	@sh tests/tools.sh xmlsec1 java mvn pdfsig pdftotext chromium certutil pebble
	@$(BIN)/python -m pytest -m interop $(PYTEST_ARGS)

$(VENV)-peers/.peers: benchmarks/peers.lock
	@echo "setting up the peers that signatures are measured against ..."
	@$(PYTHON) -m venv $(VENV)-peers && $(VENV)-peers/bin/pip --quiet --disable-pip-version-check install --require-hashes -r benchmarks/peers.lock \
	  && touch $@ || echo "!!! MISSING: the peers' environment could not be set up; signatures are measured without them" >&2

torture: $(VENV)/.dev ## the fault table; then kill, stop, fill, cut off and fail over at random (TORTURE_SECONDS)
	@sh tests/tools.sh postgres cc ip
	@$(BIN)/python -m tests.torture

torture-certs: $(VENV)/.dev ## exchange certificates, keys, anchors and lists under load (TORTURE_SECONDS)
	@sh tests/tools.sh postgres
	@$(BIN)/python -m tests.torture.certs

bench: $(VENV)/.dev $(VENV)-peers/.peers ## filings/s, latency, CPU a filing, beside the libraries' floor in the same run
	@$(BIN)/python -m benchmarks

LOCK := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url
lock: $(BIN)/python ## renew both lock files (hashes, no registry addresses)
	@$(PIP) install --upgrade uv
	@$(LOCK) $(LOCK_ARGS) --extra install -o requirements.lock pyproject.toml
	@$(LOCK) $(LOCK_ARGS) --extra install --extra dev -o requirements-dev.lock pyproject.toml
	@$(LOCK) $(LOCK_ARGS) -o benchmarks/peers.lock benchmarks/peers.in
	@$(LOCK) $(LOCK_ARGS) --no-deps -o tests/interop/public.lock tests/interop/public.in

clean: ## remove the environment and everything the demo made
	@rm -rf $(VENV) $(VENV)-peers $(VENV)-public var .mypy_cache .ruff_cache .pytest_cache
