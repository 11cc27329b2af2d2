# Each command sets itself up on a fresh machine; `make help` lists them.
.PHONY: help setup demo test test-slow check bench bench-peers calibration lock clean
.DEFAULT_GOAL := help
BIN := .venv/bin

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup:  ## make .venv (called by all others)
	@scripts/setup

demo: setup  ## run the main job on the embedded, fictional example
	@$(BIN)/violencescore demo

test: setup  ## pass the tests
	@scripts/setup-browser
	$(BIN)/python -m pytest -q -n auto

test-slow: setup  ## the long statistical tests too
	@scripts/setup-browser
	$(BIN)/python -m pytest -q -n auto -m "slow or not slow"

check: setup  ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup  ## all benchmarks, with their tables and figures in docs/ (hours: leave the machine to it)
	$(BIN)/python benchmarks/recovery.py --world plain --last 24
	$(BIN)/python benchmarks/recovery.py --world famous --last 24
	$(BIN)/python benchmarks/recovery.py --world dyads --last 20
	@$(MAKE) bench-peers
	$(BIN)/python benchmarks/gradient.py
	$(BIN)/python benchmarks/verdict.py
	$(BIN)/python benchmarks/large.py
	$(BIN)/python benchmarks/refits.py
	$(BIN)/python benchmarks/ingestion.py
	@scripts/setup-browser
	$(BIN)/python benchmarks/page.py
	$(BIN)/python benchmarks/robustness.py
	$(BIN)/python benchmarks/weeks.py

calibration: setup  ## what stated probabilities are worth, in every world (many hours; goes on where it was)
	$(BIN)/python benchmarks/calibration.py --folder build/ranks --sbc --assessments 200
	$(BIN)/python benchmarks/calibration.py --folder build/calibration
	$(BIN)/python benchmarks/calibration.py --folder build/doubts --doubts
	$(BIN)/python benchmarks/doubts.py

bench-peers:  ## against the textbook in PyMC, NumPyro and Stan (hours; sets up .venv-bench)
	@scripts/setup-bench
	.venv-bench/bin/python benchmarks/peers.py

lock:  ## pin the dependencies anew
	uv pip compile pyproject.toml --group dev --universal --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements.lock
	uv pip compile --group bench --constraint requirements.lock --universal --python-version 3.12 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --quiet --output-file requirements-bench.lock

clean:  ## remove what the other commands made
	rm -rf .venv .venv-bench .venv-verify .uv demo-run demo-run-*
