#!/usr/bin/env bash
# Stops the stack and removes its containers and networks. Data, images and secrets stay.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/folder.sh
. deploy/lib/folder.sh

lock down
own down
docker compose down
rm -f .state/replacing # the containers that were to be replaced are gone too
