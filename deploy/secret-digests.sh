#!/usr/bin/env bash
# Writes digests of the secrets into .state/. compose.yaml puts them into the environment of each container that reads
# the secret. Compose's configuration hash leaves out mounted files but includes the digest, so a changed secret makes
# Compose replace the container.
#
#   deploy/secret-digests.sh [check]     check: writes nothing
#
# Digests are not secret: every user of the machine may read them. Each includes a random key, which is stored beside
# the secrets. Without the key, a short password could be guessed from its digest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

KEY=secrets/digest_key
PASSWORD=secrets/redis_password

# Redis' start script, its health check and Python strip different characters at the ends. With some secrets they would
# read different passwords.
legible() { # legible FILE: do all of them read it in the same way?
    [ "$(wc -l < "$1")" -le 1 ] && [ -z "$(LC_ALL=C tr -d ' -~\200-\377\n' < "$1" | od -An -tx1)" ] && ! LC_ALL=C grep -qE '^ | $' "$1"
}
if ! legible "$PASSWORD"; then
    printf 'secrets: found:    %s\nsecrets: expected: %s\nsecrets: fix:      %s\n' \
        "$PASSWORD with several lines, a blank at an end, or an invisible character, as CRLF has one" "one line, the password" \
        "tr -d '[:space:][:cntrl:]' < $PASSWORD > secrets/new && chmod 444 secrets/new && mv -f secrets/new $PASSWORD" >&2
    exit 1
fi
[ "${1:-}" != check ] || exit 0

digest() { { sha256sum 2> /dev/null || shasum -a 256; } | cut -c 1-16; }

if [ ! -s "$KEY" ]; then # renamed at the end: a Ctrl-C leaves no key or a complete one
    (umask 077 && head -c 48 /dev/urandom | base64 | tr -d '\n=+/' > "$KEY.$$" && chmod 0444 "$KEY.$$")
    mv "$KEY.$$" "$KEY"
fi
umask 022 # so that the user can read files that root writes under sudo
mkdir -p .state
for name in secret_key redis_password; do
    file=.state/$name.env
    line="$(tr '[:lower:]' '[:upper:]' <<< "$name")_DIGEST=$(cat "$KEY" "secrets/$name" | digest)"
    if [ "$line" != "$(cat "$file" 2> /dev/null)" ]; then echo "$line" > "$file.$$" && mv "$file.$$" "$file"; fi
done
