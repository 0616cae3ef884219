#!/usr/bin/env bash
# Reads or writes one variable of the .env in the repository's root.
#
#   deploy/dotenv.sh get NAME [DEFAULT]   prints its value
#   deploy/dotenv.sh set NAME VALUE       writes it, leaving every other line alone
#
# `get` answers as Compose would: the process environment wins over .env, .env
# over DEFAULT, and an empty value counts as none (the compose file says ${NAME:-…}).
# `set` replaces the NAME= line, else the commented default `# NAME=`, else appends.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
file=$root/.env

fail() {
    printf 'dotenv: %s\n' "$@" >&2
    exit 1
}

get() {
    local name=$1 default=${2-} value
    value=${!name-}
    if [ -z "$value" ] && [ -f "$file" ]; then
        # The last line wins, as in Compose; quotes and trailing comments are not the value.
        value=$(awk -v name="$name" '
            { sub(/\r$/, ""); sub(/^[ \t]*(export[ \t]+)?/, "") }
            index($0, name) == 1 && substr($0, length(name) + 1) ~ /^[ \t]*=/ {
                v = substr($0, index($0, "=") + 1); sub(/^[ \t]+/, "", v)
                q = substr(v, 1, 1)
                if ((q == "\"" || q == "\047") && (end = index(substr(v, 2), q))) {
                    v = substr(v, 2, end - 1)
                } else { sub(/(^|[ \t]+)#.*$/, "", v); sub(/[ \t]+$/, "", v) }
                found = v
            }
            END { print found }' "$file")
    fi
    printf '%s\n' "${value:-$default}"
}

set_variable() {
    local name=$1 value=$2 scratch
    [ -f "$file" ] || fail "found:    no .env in $root" \
        "expected: the file that keeps this deployment's settings" \
        "mend:     make up   (creates it), or: cp .env.example .env && chmod 600 .env"
    case $value in
    *[\'$'\n']*) fail "found:    a quote or a line break in the value of $name" \
        "expected: one line without '" "mend:     edit .env by hand" ;;
    *[!A-Za-z0-9_./:@,+%=-]*) value="'$value'" ;; # Compose takes '…' literally
    esac
    # Beside .env, so that the rename at the end stays on one file system and is atomic;
    # `cp -p` first, so that a run under sudo leaves the file with its owner.
    scratch=$(mktemp "$file.XXXXXX")
    trap 'rm -f "$scratch"' EXIT
    cp -p "$file" "$scratch"
    chmod 600 "$scratch"
    # First pass: which line to replace. Second pass: replace it. The text travels by
    # the environment because `awk -v` would interpret backslashes in it.
    LINE="$name=$value" awk -v name="$name" '
        NR == FNR {
            text = $0; sub(/^[ \t]*(export[ \t]+)?/, "", text)
            if (text ~ "^" name "[ \t]*=") live = FNR
            else if (!note && text ~ "^#[ \t]*" name "=") note = FNR
            next
        }
        FNR == (live ? live : note) { print ENVIRON["LINE"]; done = 1; next }
        { print }
        END { if (!done) print ENVIRON["LINE"] }' "$file" "$file" >"$scratch"
    mv -f "$scratch" "$file"
    trap - EXIT
}

[[ ${2-} =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || set -- usage
case $1:$# in
get:2 | get:3) get "${@:2}" ;;
set:3) set_variable "$2" "$3" ;;
*) fail "usage: bash deploy/dotenv.sh get NAME [DEFAULT] | set NAME VALUE" ;;
esac
