#!/usr/bin/env bash
# For recipes of the Makefile: ends with an error unless the project belongs to this folder.
#
#   deploy/own.sh COMMAND
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh

own "$1"
