# `make demo` and `make test` need Python 3.11 or newer with pip, and nothing else: each makes its own environment.

PYTHON ?= python3
ARGS ?=
DASHBOARD_PREVIEW ?=

VENV := .venv
OLDEST := .venv-oldest
MIDDLE := .venv-middle
UV := $(VENV)/bin/uv
RUN := $(VENV)/bin

# The rooms that meet the SDKs are tested on every generation; the rest, and these again, on the newest.
MEET_SDKS := tests/client tests/vendors tests/loopback
PYTEST := -m pytest -q

.DEFAULT_GOAL := help
.PHONY: help demo test test-oldest test-middle test-newest test-released lint bench bench-peers accuracy screenshots vendor-suites frameworks policies sdk-canary audit scale fuzz clean

help:  ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## Watch what five features cost, without a key; for instance with ARGS="--seconds 0 --prometheus".
	@$(RUN)/tracked-inference demo $(ARGS)

test: $(OLDEST)/.test $(MIDDLE)/.test $(VENV)/.test  ## Run all tests: what meets the SDKs on three generations of them, everything on the newest.
	@failed=0; for lane in oldest middle newest; do $(MAKE) --no-print-directory -s test-$$lane || failed=1; done; exit $$failed

test-oldest: $(OLDEST)/.test  ## Test what meets the SDKs on their oldest generation.
	@echo "== the oldest SDKs"
	@$(OLDEST)/bin/python $(PYTEST) $(MEET_SDKS) $(ARGS)

test-middle: $(MIDDLE)/.test  ## Test what meets the SDKs on their middle generation.
	@echo "== the middle SDKs"
	@$(MIDDLE)/bin/python $(PYTEST) $(MEET_SDKS) $(ARGS)

test-newest: $(VENV)/.test  ## Test everything on the newest SDKs, with branch coverage.
	@echo "== the newest SDKs"
	@$(RUN)/python $(PYTEST) --cov --cov-report=term:skip-covered $(ARGS)

lint: $(VENV)/.test  ## Check style and types.
	@$(RUN)/ruff check .
	@$(RUN)/mypy
	@$(RUN)/mypy tracked_inference/client.py  # which its stub would hide
	@$(RUN)/pyright --pythonpath $(RUN)/python

bench: $(VENV)/.test  ## Time what must be fast, side by side with its baseline.
	@set -e; for bench in $(filter-out %/bench_peers.py,$(sort $(wildcard tests/benchmarks/bench_*.py))); do \
		$(RUN)/python -m "tests.benchmarks.$$(basename "$$bench" .py)" $(ARGS); done

bench-peers: $(VENV)/.test  ## Measure ours beside other libraries, each in its own environment, and write docs/benchmarks.md; 15 minutes.
	@PATH="$(CURDIR)/$(RUN):$$PATH" $(RUN)/python -m tests.benchmarks.bench_peers --write docs/benchmarks.md $(ARGS)

accuracy: $(VENV)/.test  ## Measure how right the dashboards are, and write it into docs/explanation/accuracy.md; 10 minutes.
	@$(RUN)/python -m tests.benchmarks.accuracy --write docs/explanation/accuracy.md $(ARGS)

screenshots: $(VENV)/.test  ## Draw docs/images; DASHBOARD_PREVIEW names the folder of the preview: see docs/howto/dashboards.md.
	@$(UV) pip install -q --python $(RUN)/python --group pictures
	@$(RUN)/python -m tests.grafana.screenshots $(if $(DASHBOARD_PREVIEW),--preview "$(DASHBOARD_PREVIEW)") $(ARGS)

vendor-suites: $(VENV)/.test  ## Run the vendors' own test suites, plain and tracked, and compare; long, downloads them.
	@PATH="$(CURDIR)/$(RUN):$$PATH" $(RUN)/python tests/vendor_suites/run.py \
		$(or $(ARGS),--download anthropic==2.12.0 --download openai==3.54.0)

test-released: $(VENV)/.test  ## Test what meets the SDKs on their newest releases.
	@echo "== the newest SDKs that are released"
	@$(UV) venv -q --allow-existing --python $(RUN)/python .venv-canary
	@$(UV) pip install -q --upgrade --python .venv-canary/bin/python -e '.[anthropic,openai]' --group test
	@.venv-canary/bin/python $(PYTEST) $(MEET_SDKS) $(ARGS)

sdk-canary: $(VENV)/.test  ## List what is new and unreviewed in the newest SDKs: endpoints, usage fields, stream events.
	@$(UV) venv -q --allow-existing --python $(RUN)/python .venv-canary
	@$(UV) pip install -q --upgrade --python .venv-canary/bin/python -e '.[anthropic,openai]'
	@.venv-canary/bin/python -m tests.sdk_canary $(ARGS)

audit: | $(UV)  ## Write a bill of materials (build/sbom.json), and ask the advisory database; needs the internet.
	@$(UV) venv -q --clear --python $(RUN)/python .venv-audited && $(UV) pip install -q --python .venv-audited/bin/python '.[all]'
	@$(UV) venv -q --allow-existing --python $(RUN)/python .venv-audit
	@$(UV) pip install -q --python .venv-audit/bin/python pip-audit cyclonedx-bom
	@.venv-audit/bin/python tests/audit.py .venv-audited/bin/python

scale: $(VENV)/.test  ## Put eight workers under load while things go wrong, and compare the sums; ARGS="--seconds 30 --long 300".
	@$(RUN)/python -m tests.reliability.scale $(ARGS)

fuzz: | $(UV)  ## Fuzz payloads, streams, files and arguments, guided by coverage; ARGS="--seconds 300".
	@$(UV) venv -q --allow-existing --python 3.11 .venv-fuzz
	@$(UV) pip install -q --python .venv-fuzz/bin/python -e '.[all]' --group fuzz
	@.venv-fuzz/bin/python -m tests.fuzz $(ARGS)

frameworks: | $(UV)  ## Test the frameworks over tracked clients, each in an environment of its own.
	@for group in frameworks frameworks-instructor; do \
		$(UV) venv -q --allow-existing --python $(RUN)/python .venv-$$group && \
		$(UV) pip install -q --python .venv-$$group/bin/python -e . --group $$group && \
		.venv-$$group/bin/python $(PYTEST) tests/frameworks $(ARGS) || exit 1; done

policies: | $(UV)  ## Test the tagging policies on those who enforce them, in an environment of its own.
	@$(UV) venv -q --allow-existing --python $(RUN)/python .venv-policies
	@$(UV) pip install -q --python .venv-policies/bin/python -e '.[cli]' --group policy-linters
	@.venv-policies/bin/python $(PYTEST) tests/cloud/policies $(ARGS)

clean:  ## Remove everything that was built.
	rm -rf $(VENV) $(OLDEST) $(MIDDLE) .venv-frameworks .venv-frameworks-instructor .venv-policies .venv-canary .venv-audit .venv-audited .venv-fuzz .venv-peers .vendor-suites build dist .coverage .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Environments. A stamp says that one is complete, and is older than what it was made from when that has changed.

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, and $(PYTHON) is %d.%d; name another: make PYTHON=python3.12" % sys.version_info[:2])'
	@# Some distributions ship venv without pip; the pip beside Python then does its work.
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || $(PYTHON) -m venv --clear --without-pip $(VENV)
	@if $(RUN)/python -m pip --version >/dev/null 2>&1; \
		then $(RUN)/python -m pip install -q --disable-pip-version-check uv; \
		else $(PYTHON) -m pip --python $(RUN)/python install -q --disable-pip-version-check uv; fi

$(VENV)/.demo: pyproject.toml | $(UV)
	@echo "Installing into $(VENV) ..."
	@$(UV) pip install -q --python $(RUN)/python -e '.[anthropic,openai,cli]'
	@touch $@

$(VENV)/.test: pyproject.toml | $(UV)
	@echo "Installing into $(VENV) ..."
	@$(UV) pip install -q --python $(RUN)/python -e '.[all]' --group dev
	@touch $@ $(VENV)/.demo

$(OLDEST)/.test: pyproject.toml | $(UV)
	@echo "Installing into $(OLDEST) ..."
	@test -x $(OLDEST)/bin/python || $(UV) venv -q --python $(RUN)/python $(OLDEST)
	@$(UV) pip install -q --python $(OLDEST)/bin/python -e . --group test --group sdk-oldest
	@touch $@

$(MIDDLE)/.test: pyproject.toml | $(UV)
	@echo "Installing into $(MIDDLE) ..."
	@test -x $(MIDDLE)/bin/python || $(UV) venv -q --python $(RUN)/python $(MIDDLE)
	@$(UV) pip install -q --python $(MIDDLE)/bin/python -e . --group test --group sdk-middle
	@touch $@
