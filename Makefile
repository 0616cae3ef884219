# The only entry point. A recipe is one line or calls a script. `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
COMPOSE := docker compose
# Refuses the command unless the project belongs to this folder.
OWN := bash deploy/own.sh
# Scripts are given to bash: a checkout may have no execute bits, or lie on a file system that allows no execution.
# Compose asks for a terminal when standard output is one. The engine refuses that if the input is a pipe or a file.
NO_TTY = $$([ -t 0 ] || echo --no-TTY)

# bash cannot read scripts with CRLF line ends. The build turns all other files' ends into LF.
CRLF := $(shell grep -lr --include='*.sh' --include=install-packages $$'\r$$' deploy tests)
ifneq ($(CRLF),)
$(info make: found:    $(words $(CRLF)) script(s) with CRLF line ends, the first is $(firstword $(CRLF)))
$(info make: expected: LF, which git writes here unless a checkout is older than .gitattributes)
$(info make: fix:      grep -Ilr $$'\r$$' deploy tests | xargs sed -i 's/\r$$//')
$(error nothing was done)
endif

##@ Run

.PHONY: up
up: ## From a fresh clone to a running, healthy stack
	@bash deploy/up.sh

.PHONY: down
down: ## Stop the stack; no data is lost
	@bash deploy/down.sh

.PHONY: deploy
deploy: ## Replace every web and WebSocket container with the current build; no client loses a message
	@bash deploy/deploy.sh

.PHONY: rollback
rollback: ## Return to the previous build in the same way; refuses if the database is too new for it
	@bash deploy/rollback.sh

.PHONY: scale
scale: ## Scale the WebSocket workers and save the number in .env: make scale N=4
	@bash deploy/scale.sh "$(N)"

.PHONY: backup
backup: ## Save database and room logs to one file under backups/, while the stack runs
	@bash deploy/backup.sh

.PHONY: restore
restore: ## Replace the current data with a backup's: make restore F=backups/… (YES=1 skips the question)
	@bash deploy/restore.sh "$(F)"

.PHONY: upgrade
upgrade: ## Upgrade an older version's running stack to this tree: a backup, then up
	@bash deploy/upgrade.sh

.PHONY: ps
ps: ## List the containers and their health
	@$(OWN) ps look && $(COMPOSE) ps --all

.PHONY: logs
logs: ## Follow the logs; of one service: make logs S=daphne
	@$(OWN) logs look && $(COMPOSE) logs --follow --tail 100 $(S)

.PHONY: shell
shell: ## Open a shell in a container of a service: make shell S=daphne
	@$(OWN) shell && $(COMPOSE) exec $(NO_TTY) $(or $(S),web) sh

.PHONY: manage
manage: ## Run Django's manage.py: make manage C="createsuperuser"
	@$(OWN) manage && $(COMPOSE) exec $(NO_TTY) web python manage.py $(C)

.PHONY: dev
dev: ## Run without Docker: one reloading process on http://localhost:8000/ (PORT=)
	@bash deploy/dev.sh

.PHONY: watch
watch: ## Work inside the running stack: containers follow the sources of this folder
	@bash deploy/watch.sh

.PHONY: migrations
migrations: ## Write the migrations for changed models; for one app: make migrations A=chat
	@bash deploy/migrations.sh $(A)

##@ Prove

.PHONY: verify
verify: ## Prove the running stack: a message crosses from one worker to another
	@bash deploy/verify.sh

.PHONY: doctor
doctor: ## Report what is wrong with this machine, .env or the running stack, and the line that fixes each fault (JSON=1)
	@bash deploy/doctor.sh $(if $(JSON),--json) $(ARGS)

.PHONY: test
test: ## Run every test, also in a fresh clone; a part: make test T=tests/unit
	@bash tests/run.sh $(T)

.PHONY: test-chaos
test-chaos: ## Cause faults under load and report what clients lost: make test-chaos S=redis-restart
	@bash tests/chaos.sh "$(S)"

.PHONY: test-upstream
test-upstream: ## Run subclassed packages' own tests against our classes: make test-upstream S=channels-redis
	@bash tests/image.sh python -m tests.upstream $(S)

.PHONY: soak
soak: ## Churn connections and report whether anything grows: make soak MINUTES=30
	@bash tests/soak.sh "$(MINUTES)"

.PHONY: bench
bench: ## Benchmark our room beside its peers: make bench QUICK=1, SCENARIO=1x100 SYSTEM=ours-daphne,nchan WAY= ROUNDS= SECONDS=
	@WINDOW="$(SECONDS)" RESULT_COMMAND="make bench $(MAKEOVERRIDES)" bash tests/bench.sh

.PHONY: flame
flame: ## Draw a flame graph of a worker's time: make flame SCENARIO=1x100 SYSTEM=ours-daphne SECONDS= TO=
	@WINDOW="$(SECONDS)" bash tests/bench.sh flame

.PHONY: micro
micro: ## Measure each step of the hot path, in nanoseconds
	@bash tests/image.sh pytest tests/micro --override-ini addopts= --quiet --benchmark-disable-gc \
		--benchmark-time-unit=ns --benchmark-columns=median,min,iqr --benchmark-sort=fullname

.PHONY: screenshots
screenshots: ## Retake the pictures of README and docs from the browser tests
	@SCREENSHOTS=docs/images bash tests/run.sh tests/browser

.PHONY: check
check: ## Check format, lint, types, compose, nginx, Dockerfiles and scripts
	@bash tests/check.sh

.PHONY: audit
audit: ## Check the locked packages for known vulnerabilities
	@bash tests/image.sh pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock --requirement tests/requirements.lock

##@ Tidy

.PHONY: format
format: ## Format and fix what can be fixed
	@bash tests/image.sh ruff format .
	@bash tests/image.sh ruff check --fix .

.PHONY: lock
lock: ## Lock the newest permitted Python packages, or add one and leave the others: make lock P=name
	@bash tests/lock.sh $(if $(P),"$(P)")

.PHONY: purge
purge: ## Remove the stack with its data and secrets; asks first (YES=1 skips the question)
	@bash deploy/purge.sh

.PHONY: help
help: ## Print this list
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
