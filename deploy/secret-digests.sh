#!/usr/bin/env bash
# Writes digests of the secrets into .state/, from where compose.yaml has them in the environment of each container that
# reads the secret. What is mounted is in no hash of Compose's: another digest is, and the container is replaced.
set -euo pipefail
umask 022 # what root writes under sudo, the user still reads; a digest of a random secret gives nothing away
cd "$(dirname "${BASH_SOURCE[0]}")/.."

digest() { { sha256sum 2> /dev/null || shasum -a 256; } | cut -c 1-16; }

mkdir -p .state
for name in secret_key redis_password; do
    file=.state/$name.env
    line="$(tr '[:lower:]' '[:upper:]' <<< "$name")_DIGEST=$(digest < "secrets/$name")"
    if [ "$line" != "$(cat "$file" 2> /dev/null)" ]; then echo "$line" > "$file.$$" && mv "$file.$$" "$file"; fi
done
