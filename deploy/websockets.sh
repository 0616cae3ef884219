#!/usr/bin/env bash
# Prints the service that has the WebSockets: daphne, or that of an overlay in .env's COMPOSE_FILE.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
docker compose config --services | grep -Ex 'daphne|uvicorn'
