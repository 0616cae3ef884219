#!/usr/bin/env bash
# For recipes of the Makefile: fails unless the project belongs to this folder.
#
#   deploy/own.sh COMMAND [look]     look: for commands that change nothing; only names the owner
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh

if [ "${2:-}" = look ]; then name_owner "$1"; else own "$1"; fi
