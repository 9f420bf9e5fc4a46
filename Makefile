# Two commands are enough: `make run` and `make test`. Both install what is missing first.
# Written for GNU make and for BSD make alike, so without the conveniences of either.

EXPERIMENT = experiments/quickstart.toml
# Such as fred,rustis,tls, which some experiments need.
FEATURES =

# What scripts/setup could not install for the whole system lies in .tools/bin.
ENV = PATH="$$PWD/.tools/bin:$$HOME/.cargo/bin:$$PATH"

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 16

setup: ## install what is missing: redis-server, uv
	@scripts/setup

clients: ## install Ruby, PHP and Go, which the clients in these languages need
	@scripts/setup clients

run: ## build, and run an experiment (EXPERIMENT=experiments/quickstart.toml)
	@$(ENV) scripts/run $(EXPERIMENT) "$(FEATURES)"

test: setup ## run the whole test suite
	$(ENV) scripts/test

check-clients: setup ## check every mode in Python and JavaScript against the protocol, for ten minutes on two CPUs
	$(ENV) cargo test --locked --test program -- --ignored --nocapture keeps_the_protocol

torture: setup ## kill, stop and starve the program, for half an hour on two CPUs; see tests/torture/main.rs
	$(ENV) cargo test --locked --test torture -- --ignored --nocapture long

fuzz: ## fuzz all that reads what others wrote, each target for FUZZ_SECONDS (600); needs a C++ compiler
	$(ENV) scripts/fuzz all "$${FUZZ_SECONDS:-600}"

bench: setup ## measure what the built-in clients cost on top of their libraries
	$(ENV) cargo bench --locked --bench '*'

fmt: ## format the code
	$(ENV) cargo fmt

lint: ## check formatting, lints, scripts and dependencies
	$(ENV) cargo fmt --check
	$(ENV) cargo clippy --all-targets --locked -- -D warnings
	$(ENV) scripts/lint-shell
	$(ENV) scripts/lint-github
	$(ENV) scripts/lint-dependencies

ci-example: setup ## show what examples/ci says of three pull requests (takes a quiet machine and a minute)
	$(ENV) cargo build --release --locked
	$(ENV) examples/ci/demonstrate

doc: ## build the documentation of the code
	$(ENV) RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked

site: ## build the documentation and the reports of results/ into target/site (needs mdbook)
	$(ENV) scripts/site

install: ## install orchestrate for this user
	$(ENV) cargo install --path . --locked

dist: ## make wheels, archives and packages in dist/, and test those for this machine
	$(ENV) scripts/dist
	$(ENV) scripts/dist-test

agents: setup ## build static programs that are brought to Linux hosts without orchestrate
	$(ENV) scripts/agents

.PHONY: help setup clients run test check-clients torture fuzz bench fmt lint ci-example doc site install dist agents
