# Two commands for a new user: `make demo` and `make test`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
VENV := .venv
ORACLES := worker/tests/oracles/requirements.txt
ROWS ?= 10000000
SCALE_BYTES ?= 10000000000
LEDGER_FILES ?= 10000000
FUZZ_SECONDS ?= 600

.PHONY: help build test fuzz e2e e2e-storage demo bench venv lint doc deny generate prerequisites clean

help: ## What there is
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

prerequisites:
	@scripts/prerequisites

build: prerequisites ## Build everything (development profile)
	cargo build --locked --workspace --all-targets

test: prerequisites venv ## All tests; no root and no cluster needed. KILLS=n: how often the crash test kills
	cargo test --locked --workspace --no-fail-fast

fuzz: prerequisites ## Property tests of the decoders for FUZZ_SECONDS (600); what fails is kept in proptest-regressions/
	cargo test --locked --workspace --no-run
	scripts/fuzz $(FUZZ_SECONDS)

e2e: prerequisites venv ## Tests on a Kubernetes of its own (root, Linux), or on that of KUBECONFIG; E2E=full: the long ones too
	# All targets, as 'make build': without those of the tests Cargo picks other features and compiles again.
	cargo build --locked --workspace --all-targets
	e2e/run $(TARGET_DIR)/debug

e2e-storage: prerequisites ## Power cuts on ext4 and xfs, two clients of a network volume; Linux, root, 5 minutes
	cargo build --locked -p longshore-e2e-storage
	e2e/storage/run $(TARGET_DIR)/debug

demo: prerequisites ## Ten million rows from an S3 server into a table; again: nothing is loaded twice
	cargo build --locked --bins
	scripts/demo $(TARGET_DIR)/debug $(ROWS)

bench: prerequisites ## The load against decode-only and a plain copy; a pipe, a ledger, the log and 2,920 tablets against their bounds
	cargo build --locked --release --bins --examples --features longshore-bench/reference-decoders \
		-p longshore-bench -p longshore-worker -p longshore-storage
	$(TARGET_DIR)/release/longshore-bench --rows $(ROWS)
	$(TARGET_DIR)/release/longshore-bench text
	$(TARGET_DIR)/release/longshore-bench pipe
	$(TARGET_DIR)/release/examples/columnar_speed
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
		$(TARGET_DIR)/release/examples/ledger make "$$folder/table" $(LEDGER_FILES) && \
		$(TARGET_DIR)/release/examples/ledger open "$$folder/table"
	$(TARGET_DIR)/release/examples/scale --bytes $(SCALE_BYTES)

venv: $(VENV)/ready ## Other engines that read our tables, and a second S3 server, for the tests

$(VENV)/ready: $(ORACLES)
	@scripts/prerequisites python
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $(ORACLES)
	touch $@

lint: prerequisites ## Format and clippy
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

deny: ## Licences, bans and sources of the dependencies
	@scripts/install-cargo-deny
	cargo deny check bans licenses sources

doc: prerequisites ## API documentation of the crates, without warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps

# The same build as 'make build': another choice of crates would compile their dependencies again.
generate: build ## Write the generated files: crds/*.yaml and their copies in the chart
	$(TARGET_DIR)/debug/crdgen
	cp crds/*.yaml charts/longshore-crds/files/

clean: ## Remove what the build, the tests and the demo made
	rm -rf $(VENV) .demo
	cargo clean
