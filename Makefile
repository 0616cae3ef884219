# The only front door. A recipe is one line or calls a script; `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
COMPOSE := docker compose

##@ Run

.PHONY: up
up: ## From a fresh clone to a running, healthy stack
	@deploy/up.sh

.PHONY: down
down: ## Stop the stack; no data is lost
	@$(COMPOSE) down && rm -f .state/replacing

.PHONY: deploy
deploy: ## Replace every web and WebSocket container by the present build; no client loses a message
	@deploy/deploy.sh

.PHONY: rollback
rollback: ## Back to the build before, in the same way; refuses where the database has gone too far
	@deploy/rollback.sh

.PHONY: scale
scale: ## Scale the WebSocket workers and remember it: make scale N=4
	@deploy/scale.sh "$(N)"

.PHONY: backup
backup: ## Database and room logs into one file under backups/, while the stack runs
	@deploy/backup.sh

.PHONY: restore
restore: ## Put a backup's data in the place of the present: make restore F=backups/… (YES=1 answers)
	@deploy/restore.sh "$(F)"

.PHONY: upgrade
upgrade: ## From an older version's running stack to this tree's: a backup, then up
	@deploy/upgrade.sh

.PHONY: ps
ps: ## The containers and their health
	@$(COMPOSE) ps --all

.PHONY: logs
logs: ## Follow the logs, of one service: make logs S=daphne
	@$(COMPOSE) logs --follow --tail 100 $(S)

.PHONY: shell
shell: ## A shell in a container of a service: make shell S=daphne
	@$(COMPOSE) exec $(or $(S),web) sh

.PHONY: manage
manage: ## Django's manage.py: make manage C="createsuperuser"
	@$(COMPOSE) exec web python manage.py $(C)

.PHONY: dev
dev: ## Without Docker: one reloading process on http://localhost:8000/ (PORT=)
	@deploy/dev.sh

.PHONY: watch
watch: ## Work inside the running stack: containers follow the sources of this folder
	@$(COMPOSE) --file compose.yaml --file deploy/watch.yaml up --watch

.PHONY: migrations
migrations: ## Write the migrations that changed models need
	@$(COMPOSE) run --rm --no-deps --user "$$(id -u):$$(id -g)" --volume "$(CURDIR)/MyChannels:/srv/MyChannels" \
		migrate python manage.py makemigrations mychannels

##@ Prove

.PHONY: verify
verify: ## Prove the running stack: a message crosses from one worker to another
	@deploy/verify.sh

.PHONY: doctor
doctor: ## What is wrong with this machine, .env or the running stack, and the line that mends it (JSON=1)
	@deploy/doctor.sh $(if $(JSON),--json) $(ARGS)

.PHONY: test
test: ## Every test, from a fresh clone too: make test T=tests/unit
	@tests/run.sh $(T)

.PHONY: test-chaos
test-chaos: ## Faults under load, and what clients lost by them: make test-chaos S=redis-restart
	@tests/chaos.sh "$(S)"

.PHONY: soak
soak: ## Churn, and whether anything grows by it: make soak MINUTES=30
	@tests/soak.sh "$(MINUTES)"

.PHONY: bench
bench: ## Our room beside its peers: make bench QUICK=1, SCENARIO=1x100 SYSTEM=ours-daphne,nchan WAY= ROUNDS= SECONDS=
	@WINDOW="$(SECONDS)" RESULT_COMMAND="make bench $(MAKEOVERRIDES)" tests/bench.sh

.PHONY: flame
flame: ## Where a worker's time goes, as a flame graph: make flame SCENARIO=1x100 SYSTEM=ours-daphne SECONDS= TO=
	@WINDOW="$(SECONDS)" tests/bench.sh flame

.PHONY: micro
micro: ## What each step of the hot path costs, in nanoseconds
	@tests/image.sh pytest tests/micro --override-ini addopts= --quiet --benchmark-disable-gc \
		--benchmark-time-unit=ns --benchmark-columns=median,min,iqr --benchmark-sort=fullname

.PHONY: screenshots
screenshots: ## Take the pictures of README and docs anew, from the browser tests
	@SCREENSHOTS=docs/images tests/run.sh tests/browser

.PHONY: check
check: ## Format, lint, types, and the checks of compose, nginx, Dockerfiles and scripts
	@tests/check.sh

.PHONY: audit
audit: ## Look the locked packages up among known vulnerabilities
	@tests/image.sh pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock --requirement tests/requirements.lock

##@ Tidy

.PHONY: format
format: ## Format and mend what can be mended
	@tests/image.sh ruff format .
	@tests/image.sh ruff check --fix .

.PHONY: lock
lock: ## Lock the newest permitted Python packages anew
	@tests/lock.sh

.PHONY: purge
purge: ## Remove the stack with its data and secrets; asks first (YES=1 answers)
	@deploy/purge.sh

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
