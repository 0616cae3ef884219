#!/usr/bin/env bash
# Runs the tests, or those named: tests/run.sh [tests/unit …]
set -euo pipefail
exec "$(dirname "${BASH_SOURCE[0]}")/image.sh" pytest "$@"
