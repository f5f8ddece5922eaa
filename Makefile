SHELL := /bin/sh
BIN := .venv/bin
HOURS ?= 8
LOCK = uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --quiet
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench soak clips image image-check image-test image-lock lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: ## make .venv with .venv/bin/kiosk from requirements.lock
	@sh scripts/setup.sh

demo: setup ## a site at work on simulated devices, with a real broker
	@sh scripts/need.sh mosquitto || echo "demo: going on with the embedded broker"
	@$(BIN)/kiosk simulate --demo $(ARGS)

test: setup ## the whole suite (ARGS="-k words" for a part)
	@sh scripts/need.sh mosquitto cc image-check sshd sound
	@sh scripts/guest.sh || test -z "$$CI" # elsewhere its tests are passed over, and say why
	@$(BIN)/python -m pytest $(ARGS)

check: setup ## style, types, import contracts, dead code, lock file
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/python scripts/check_lock.py
	for script in scripts/*.sh; do sh -n "$$script" || exit 1; done
	bash -n .ci/run

bench: setup ## the figures of docs/benchmarks.md, on this machine
	@sh scripts/need.sh mosquitto
	@$(BIN)/python -m tests.bench $(ARGS)

soak: setup ## kill -9 the daemon for HOURS=8
	@sh scripts/need.sh mosquitto cc
	@$(BIN)/python -m tests.faults.soak --hours $(HOURS) $(ARGS)

clips: setup ## the voice's clips anew from the catalogue in kiosk/voice.py, with espeak-ng
	@sh scripts/need.sh clips
	@$(BIN)/python scripts/make_clips.py $(ARGS)

image: setup ## the card image for Raspberry Pi 3, 4 and 5, into build/ (as root; ARGS="--compress" for Imager's files too)
	@sh scripts/need.sh image
	@$(BIN)/python image-build/build.py $(ARGS)

image-check: setup ## open the finished image without starting it (ARGS=FILE for another one)
	@sh scripts/need.sh image-check
	@$(BIN)/python image-build/check.py $(ARGS)

image-test: setup ## the finished image on an emulated Raspberry Pi 3 (ARGS=--again for what has passed before)
	@$(BIN)/python -m tests.appliance --due $(ARGS) || { \
		sh scripts/need.sh image image-check emulator mosquitto && $(BIN)/python -m tests.appliance $(ARGS); }

image-lock: setup ## take the mirror's Debian packages of today into image-build/packages.lock
	@sh scripts/need.sh image
	@$(BIN)/python image-build/build.py --write-lock $(ARGS)

lock: ## resolve pyproject.toml anew into the lock files (needs uv)
	$(LOCK) pyproject.toml --group dev -o requirements.lock
	$(LOCK) pyproject.toml --group build --constraint requirements.lock -o requirements-kiosk.lock
	$(LOCK) --group guest -o requirements-guest.lock

clean: ## remove what the tools leave behind; .venv stays
	rm -rf build dist demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
