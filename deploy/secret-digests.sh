#!/usr/bin/env bash
# Writes digests of the secrets into .state/, from where compose.yaml has them in the environment of each container that
# reads the secret. What is mounted is in no hash of Compose's: another digest is, and the container is replaced.
#
#   deploy/secret-digests.sh [check]     check: writes nothing
#
# Digests are no secret: every user of the machine may read them. A random key goes into each, which lies beside the
# secrets: without it, a short password could be guessed from its digest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

KEY=secrets/digest_key
PASSWORD=secrets/redis_password

# Redis' start, its health check and Python differ in what they leave out at the ends: one would refuse another's password.
legible() { # legible FILE: is it read alike by all?
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

if [ ! -s "$KEY" ]; then # renamed at the end: a Ctrl-C leaves none, or a whole one
    (umask 077 && head -c 48 /dev/urandom | base64 | tr -d '\n=+/' > "$KEY.$$" && chmod 0444 "$KEY.$$")
    mv "$KEY.$$" "$KEY"
fi
umask 022 # what root writes under sudo, the user still reads
mkdir -p .state
for name in secret_key redis_password; do
    file=.state/$name.env
    line="$(tr '[:lower:]' '[:upper:]' <<< "$name")_DIGEST=$(cat "$KEY" "secrets/$name" | digest)"
    if [ "$line" != "$(cat "$file" 2> /dev/null)" ]; then echo "$line" > "$file.$$" && mv "$file.$$" "$file"; fi
done
