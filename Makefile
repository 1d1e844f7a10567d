# What one types. Each verb calls cargo, docker or a script; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help up down status logs test check fmt lint unit integration e2e e2e-full bench bench-statsd bench-instructions images clean fail-task deny dashboards check-dashboards grafana bench-postgres bench-valkey compare-valkey compare-postgres

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## run the lakehouse and its monitoring, whatever the machine lacks
	@deploy/up

down: ## stop it; what it stored stays
	@deploy/down

status: ## services, their health, addresses to open
	@deploy/status

logs: ## follow the logs: make logs SERVICE=prometheus
	@deploy/logs $(SERVICE)

fail-task: ## make a task of Airflow fail, and see it alert
	@deploy/fail-task

test: ## everything: format, lints, unit, integration, rules, end to end
	@tests/run.sh

check: ## the quick part of it: format, lints, unit
	@tests/run.sh format lint unit

fmt: ## format the code
	cargo fmt --all

lint: ## clippy, warnings are errors
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings

unit: ## unit tests, and the exporters as processes
	cargo test --workspace --locked

integration: ## exporters against real PostgreSQL, Valkey and SeaweedFS
	@tests/run.sh integration

e2e: ## the platform as a whole, beside one that runs
	@tests/run.sh rules e2e

e2e-full: ## the same, and half an hour of what an operator fears
	@E2E_FULL=1 tests/run.sh rules e2e

bench: ## all of docs/benchmarks.md: scrape times, memory, comparisons
	@deploy/bench

bench-statsd: ## statsd-exporter beside the program it replaces, for docs/benchmarks-statsd.md
	@deploy/bench-statsd

bench-postgres: ## postgres-exporter beside postgres_exporter, for its section of docs/benchmarks.md
	@deploy/bench-postgres

bench-valkey: ## valkey-exporter beside redis_exporter, for its section of docs/benchmarks.md
	@deploy/bench-valkey

compare-valkey: ## the pages of valkey-exporter and redis_exporter against the same servers
	@deploy/compare-valkey

bench-instructions: ## instructions of statsd-exporter's hot paths, beside those of before
	@deploy/bench-instructions

compare-postgres: ## postgres-exporter's page beside that of the program it replaces
	@deploy/compare-postgres

images: ## build the images of the three exporters
	@deploy/images/build

dashboards: ## write the dashboards' JSON anew from their code
	@cargo run --quiet --locked --package dashboards -- dashboards

check-dashboards: ## read the dashboards by the schema of newer versions of Grafana (needs Go)
	@deploy/check-dashboards

grafana: ## wait until Grafana is built and runs, where its image cannot be pulled
	@deploy/add-grafana

deny: ## licences, advisories and sources of dependencies
	@command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny check bans licenses sources
	@if cargo deny fetch db; then cargo deny check advisories; \
	else echo 'advisories: not checked, their database cannot be reached'; fi

clean: ## remove all that make made
	@deploy/clean
