# Thornback. Two commands do everything on a fresh clone: `make demo` and `make test`.
# Needed: Linux, Go (version in go.mod), Python >= 3.11 with venv, a C compiler.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
# All targets share one virtual environment, and pip must not run twice in it.
.NOTPARALLEL:
.DEFAULT_GOAL := help

VENV ?= .venv
# Real Ray has an environment of its own, for comparisons.
RAY_VENV ?= .venv-ray
GO ?= go
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 5s
PYTEST_ARGS ?=
BENCH_ARGS ?=
COMPAT_ARGS ?=

NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
# The first Python that is new enough; `make PYTHON=/path/to/python` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$p && break; done)

VPY := $(VENV)/bin/python
PIP := $(VPY) -m pip --disable-pip-version-check --quiet
# Stamps lie in the environment that they speak of: removing it removes them.
STAMPS := $(VENV)/stamps
# Other libraries want versions of their own.
LIBRARIES ?= .venv-libraries
ASAN_SITE := build/asan/site
PROFILE_SITE := build/profile/site

# What the wheel is made of. Folders are named too: their time changes when a file is removed.
SOURCES := $(shell find core capi python -name __pycache__ -prune -o -name testdata -prune -o \
	\( -type d -o -name '*.go' ! -name '*_test.go' -o -name '*.[ch]' -o -name '*.py' \
	-o -name '*.pyi' -o -name '*.pgo' -o -name py.typed \) -print) \
	$(wildcard setup.py pyproject.toml MANIFEST.in go.mod go.sum README.md LICENSE)
C_SOURCES := $(wildcard capi/*.[ch] core/border/*.[ch])
# Without the border: it has no logic, and the race detector cannot see into C.
PURE_GO = $(shell $(GO) list ./... | grep -v /core/border)

.PHONY: help
help: ## List all targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) \
		| awk -F ':.*## ' '{printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}'

# ---- For users ----------------------------------------------------------------------------------

.PHONY: demo
demo: $(STAMPS)/installed $(STAMPS)/demo ## Build, install, and run the example on real data
	$(VPY) examples/flights.py

.PHONY: wheel
wheel: dist/.built ## Build the abi3 wheel into dist/
	@ls -l dist/*.whl

.PHONY: bench
bench: $(STAMPS)/bench ## Full benchmark against Ray and others (BENCH_ARGS=...)
	$(PYTHON) benchmarks/run.py --thornback-python $(VPY) $(BENCH_ARGS)

.PHONY: bench-quick
bench-quick: $(STAMPS)/bench ## Main benchmark rows against Ray, under 3 minutes
	$(PYTHON) benchmarks/run.py --quick --thornback-python $(VPY) $(BENCH_ARGS)

.PHONY: profile
profile: $(STAMPS)/bench ## Profile the Go core on the benchmarks, for its compiler (core/border/default.pgo)
	rm -rf $(PROFILE_SITE)
	GOFLAGS=-tags=xr_profile $(PIP) install --no-deps --target $(PROFILE_SITE) .
	$(VPY) tools/profile.py --site $(CURDIR)/$(PROFILE_SITE)

# ---- Tests --------------------------------------------------------------------------------------

.PHONY: test
test: test-go test-python ## All tests, Go and Python

.PHONY: test-go
test-go: ## Go vet and tests
	$(GO) vet ./...
	$(GO) test ./...

.PHONY: test-race
test-race: ## Go tests under the race detector, with invariants checked, on 1 and 4 procs
	$(GO) test -race -tags invariants -cpu 1,4 $(PURE_GO)

.PHONY: test-python
test-python: $(STAMPS)/test ## Python tests against the installed wheel (PYTEST_ARGS=...)
	$(VPY) -m pytest $(PYTEST_ARGS)

.PHONY: compat
compat: $(RAY_VENV)/stamp $(STAMPS)/test ## Run the cases of tests/compat on real Ray, record, report
	$(RAY_VENV)/bin/python tests/compat/inventory.py > tests/compat/names.json
	$(VPY) -m tests.compat.record --python $(RAY_VENV)/bin/python $(COMPAT_ARGS)
	$(VPY) -m tests.compat.report

.PHONY: compat-report
compat-report: $(STAMPS)/test ## Write COMPAT.md from what is recorded
	$(VPY) -m tests.compat.report

.PHONY: test-asan
test-asan: $(STAMPS)/asan ## Python tests marked `asan`, C extension under AddressSanitizer
	@rm -f build/asan/report.*
	status=0; env LD_PRELOAD="$$($(CC) -print-file-name=libasan.so)" PYTHONMALLOC=malloc \
		ASAN_OPTIONS="detect_leaks=0:abort_on_error=1:log_path=$(CURDIR)/build/asan/report" \
		PYTHONPATH="$(CURDIR)/$(ASAN_SITE)" $(VPY) -m pytest -m asan $(PYTEST_ARGS) || status=$$?; \
		for report in build/asan/report.*; do [ ! -e "$$report" ] || { cat "$$report"; status=1; }; done; \
		exit $$status

.PHONY: test-wheels
test-wheels: dist/.built ## Install the wheel into every CPython found, without Go
	tools/test_wheels.sh dist/*.whl

.PHONY: test-libraries
test-libraries: $(LIBRARIES)/stamps/installed ## Programs of others by alias: Modin, Dask, joblib, ...
	$(LIBRARIES)/bin/python -m pytest -n0 tests/libraries/libraries.py $(PYTEST_ARGS)

.PHONY: fuzz
fuzz: ## Run every Go fuzz test for FUZZTIME (5s)
	GO=$(GO) tools/fuzz.sh $(FUZZTIME)

# ---- Quality ------------------------------------------------------------------------------------

.PHONY: lint
lint: lint-go lint-c lint-python lint-layout ## All static checks

.PHONY: lint-go
lint-go: ## gofmt, go vet, staticcheck
	@unformatted="$$(gofmt -l core)"; \
		if [ -n "$$unformatted" ]; then echo "not gofmt'ed:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

.PHONY: lint-c
lint-c: $(STAMPS)/lint ## clang-format
	$(VENV)/bin/clang-format --dry-run -Werror $(C_SOURCES)

.PHONY: lint-python
lint-python: $(STAMPS)/lint ## ruff, mypy strict, stub and abi3 checks
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	cd $(VENV) && bin/python -m mypy.stubtest --allowlist $(CURDIR)/tools/stubtest.txt thornback._core
	$(VENV)/bin/abi3audit --strict --assume-minimum-abi3 3.11 dist/*.whl

.PHONY: lint-layout
lint-layout: $(STAMPS)/test ## Imports, exports, file sizes, contents of the wheel
	$(VPY) -m pytest -n0 tests/lint

.PHONY: format
format: $(STAMPS)/lint ## Format all sources in place
	gofmt -w core
	$(VENV)/bin/clang-format -i $(C_SOURCES)
	$(VENV)/bin/ruff check --fix-only --quiet .
	$(VENV)/bin/ruff format .

.PHONY: clean
clean: ## Remove everything built, and the virtual environments
	rm -rf build dist $(VENV) $(LIBRARIES) .pytest_cache .mypy_cache .ruff_cache \
		python/*.egg-info python/thornback/*.so
	find . -path ./.git -prune -o -name __pycache__ -prune -exec rm -rf {} +

# ---- Stamps -------------------------------------------------------------------------------------

$(STAMPS)/venv:
	@$(or $(PYTHON),false) -c '$(NEW_ENOUGH)' || { \
		echo "error: thornback needs Python 3.11 or newer; try make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@mkdir -p $(@D) && touch $@

dist/.built: $(SOURCES) | $(STAMPS)/venv
	@mkdir -p $(@D) && rm -f dist/thornback-*.whl
	THORNBACK_WERROR=1 $(PIP) wheel --no-deps --wheel-dir dist .
	@touch $@

# The dependencies come with the first install; later wheels only replace the package.
$(STAMPS)/installed: dist/.built $(STAMPS)/venv
	$(PIP) install dist/thornback-*.whl
	$(PIP) install --no-deps --force-reinstall dist/thornback-*.whl
	@touch $@

$(STAMPS)/test: $(STAMPS)/installed pyproject.toml
	$(PIP) install "$$(echo dist/thornback-*.whl)[test]"
	@touch $@

$(STAMPS)/lint: $(STAMPS)/installed pyproject.toml
	$(PIP) install "$$(echo dist/thornback-*.whl)[lint]"
	@touch $@

$(STAMPS)/demo: examples/requirements.txt $(STAMPS)/venv
	$(PIP) install -r examples/requirements.txt
	@touch $@

$(STAMPS)/bench: benchmarks/requirements.txt $(STAMPS)/installed
	$(PIP) install -r benchmarks/requirements.txt
	@touch $@

$(RAY_VENV)/stamp: tests/compat/requirements.txt
	$(PYTHON) -m venv $(RAY_VENV)
	$(RAY_VENV)/bin/python -m pip --disable-pip-version-check --quiet install -r $<
	@touch $@

$(LIBRARIES)/stamps/packages: tests/libraries/requirements.txt | $(STAMPS)/venv
	$(PYTHON) -m venv --clear $(LIBRARIES)
	$(LIBRARIES)/bin/python -m pip --disable-pip-version-check --quiet install -r $<
	@mkdir -p $(@D) && touch $@

$(LIBRARIES)/stamps/installed: dist/.built $(LIBRARIES)/stamps/packages
	$(LIBRARIES)/bin/python -m pip --disable-pip-version-check --quiet install --no-deps \
		--force-reinstall dist/thornback-*.whl
	@touch $@

$(STAMPS)/asan: $(SOURCES) $(STAMPS)/test
	rm -rf $(ASAN_SITE)
	THORNBACK_WERROR=1 THORNBACK_ASAN=1 $(PIP) install --no-deps --target $(ASAN_SITE) .
	@touch $@
