#!/usr/bin/env bash
# For recipes of the Makefile: ends with an error unless the project belongs to this folder.
#
#   deploy/own.sh COMMAND [look]     look: the command changes nothing, and the owner is named instead
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh

if [ "${2:-}" = look ]; then name_owner "$1"; else own "$1"; fi
