# Every target needs only Python 3.11, make and git: it makes and fills .venv by itself.
PYTHON := .venv/bin/python
MANAGE := $(PYTHON) manage.py
RUN_ENVIRONMENT := .ci/environment requirements.txt
DEV_ENVIRONMENT := .ci/environment requirements-dev.txt

.PHONY: help run demo account test test-slow check schema bench lock clean

help:
	@echo "make run        start the server (ARGUSLM_HOST, ARGUSLM_PORT, ARGUSLM_DATA_DIR)"
	@echo "make demo       start it with simulated providers"
	@echo "make account    make an administrator account"
	@echo "make check      lint, types, import contract, migrations, API schema"
	@echo "make test       tests; make test-slow: load and fault tests"
	@echo "make schema     write docs/openapi.yaml anew"
	@echo "make bench      performance figures"
	@echo "make lock       pin what requirements*.in name (LOCK_FLAGS=--upgrade: newest versions)"
	@echo "make clean      remove .venv and tool caches, never the data"

run:
	@$(RUN_ENVIRONMENT)
	@exec $(MANAGE) up

demo:
	@$(RUN_ENVIRONMENT)
	@ARGUSLM_DATA_DIR="$${ARGUSLM_DATA_DIR:-.data/demo}" exec $(MANAGE) demo

account:
	@$(RUN_ENVIRONMENT)
	@$(MANAGE) migrate --verbosity 0
	@exec $(MANAGE) createsuperuser

test:
	@$(DEV_ENVIRONMENT)
	@$(PYTHON) -m pytest -n 2 --dist loadfile --timeout 180

test-slow:
	@$(DEV_ENVIRONMENT)
	@$(PYTHON) -m pytest -m slow --timeout 1800

check:
	@$(DEV_ENVIRONMENT)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	$(PYTHON) -m mypy .
	.venv/bin/lint-imports
	$(MANAGE) check
	$(MANAGE) makemigrations --check --dry-run
	@fresh=$$(mktemp) && trap 'rm -f "$$fresh"' EXIT && \
	$(MANAGE) spectacular --validate --fail-on-warn --file "$$fresh" && \
	{ diff -u docs/openapi.yaml "$$fresh" || \
	{ echo "docs/openapi.yaml is out of date: make schema" >&2; exit 1; }; }

schema:
	@$(DEV_ENVIRONMENT)
	$(MANAGE) spectacular --validate --fail-on-warn --file docs/openapi.yaml

bench:
	@$(DEV_ENVIRONMENT)
	@for script in tests/perf/bench_*.py; do \
		if [ -e "$$script" ]; then PYTHONPATH=. $(PYTHON) "$$script" || exit 1; fi; \
	done

LOCK := .venv/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 $(LOCK_FLAGS)

lock:
	@$(DEV_ENVIRONMENT)
	$(LOCK) requirements.in --output-file requirements.txt
	$(LOCK) requirements-dev.in --constraints requirements.txt --output-file requirements-dev.txt

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
