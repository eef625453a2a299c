# Two commands do everything: `make demo` and `make test`. Both set up first what is missing.
VENV   := .venv
PYTHON  = $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' && { echo $$p; break; }; done)
READY  := $(VENV)/.ready
export OMP_NUM_THREADS ?= 1

.PHONY: help setup demo test test-cluster lint clean
help:
	@echo "make demo   set up, then the whole line on sample footage, with a report"
	@echo "make test   set up, then all tests"
	@echo "make test-cluster   tests on a real cluster in network namespaces (root), a real S3 server, Kubernetes API server where Go is there, YARN where Maven is"
	@echo "make lint   ruff"
	@echo "make setup  only the set-up"

setup: $(READY)

$(READY): requirements.lock.txt setup.py system-packages.sh
	@./system-packages.sh
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and none was found"; exit 3; }
	@test -x $(VENV)/bin/pip || $(PYTHON) -m venv $(VENV)
	@echo "Python packages (about 7 GB with torch and its CUDA libraries; minutes the first time) …"
	@$(VENV)/bin/pip install -q --disable-pip-version-check --no-deps -r requirements.lock.txt
	@$(VENV)/bin/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@echo "Delta's jars …"
	@$(VENV)/bin/python -m cluster.jars --s3a 2>/dev/null || $(VENV)/bin/python -m cluster.jars
	@touch $(READY)

demo: setup
	@$(VENV)/bin/talkvid demo

test: setup
	@$(VENV)/bin/python -m pytest -n 2 --dist loadfile -rs --durations=10

test-cluster: setup
	@$(VENV)/bin/python -m tests.cluster_real.s3_server
	@$(VENV)/bin/python -m pytest -m "cluster or store" -rs --timeout=3600

lint: setup
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .

clean:
	rm -rf $(VENV) build *.egg-info
