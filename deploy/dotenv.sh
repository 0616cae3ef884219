#!/usr/bin/env bash
# Reads or writes variables as Compose reads them: the shell, then .env or the files of COMPOSE_ENV_FILES.
#
#   deploy/dotenv.sh get NAME [DEFAULT]       prints its value
#   deploy/dotenv.sh print NAME…              prints NAME=value for each
#   deploy/dotenv.sh set NAME VALUE [FILE]    writes it, leaving every other line alone
#
# Compose itself resolves the values: a variable of the shell wins, even if it is empty. An empty value means the
# DEFAULT, as with ${NAME:-…} in the compose file. `get` also checks the project's name, since it names images.
# `set` replaces the effective NAME= line, else the commented default `# NAME=`, else appends a line.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/env-files.sh
. deploy/lib/env-files.sh

LONGEST_PROJECT=63

fail() { # fail FOUND EXPECTED FIX
    printf 'dotenv: found:    %s\ndotenv: expected: %s\ndotenv: fix:      %s\n' "$@" >&2
    exit 1
}

value_of() { # value_of NAME LINES
    sed -n "s/^$1=//p" <<< "$2" | head -n 1
}

get() { # get NAME [DEFAULT]
    local said value
    if [ "$1" = COMPOSE_PROJECT_NAME ]; then
        project
        return
    fi
    said=$(compose_reads "$1")
    value=$(value_of "$1" "$said")
    printf '%s\n' "${value:-${2-}}"
}

print() { # print NAME…
    local said name
    said=$(compose_reads "$@")
    for name; do printf '%s=%s\n' "$name" "$(value_of "$name" "$said")"; done
}

project() { # the project's name, if Compose, the engine and its name server accept it
    local name better LC_ALL=C
    if [ -n "${COMPOSE_PROJECT_NAME+set}" ] && [ -z "$COMPOSE_PROJECT_NAME" ]; then
        fail "COMPOSE_PROJECT_NAME, which is set and empty in the shell" "a name, or no such variable in the shell" \
            "unset COMPOSE_PROJECT_NAME"
    fi
    name=$(project_that_compose_reads)
    [ -n "$name" ] || docker compose version > /dev/null 2>&1 ||
        fail "no Docker with Compose to read the variables" "one that answers: docker compose version" "bash deploy/engine.sh"
    # With -web appended, it must be a valid image name: https://github.com/distribution/reference
    if [[ $name =~ ^[a-z0-9]+((_|__|-+)[a-z0-9]+)*-*$ ]] && [ "${#name}" -le "$LONGEST_PROJECT" ]; then
        echo "$name"
        return
    fi
    better=$(tr '[:upper:]' '[:lower:]' <<< "$name" | sed 's/[^a-z0-9]\{1,\}/-/g; s/^-//; s/-$//' | cut -c "1-$LONGEST_PROJECT")
    fail "COMPOSE_PROJECT_NAME=$name" \
        "lower-case letters, digits and hyphens, and one or two underscores between them; $LONGEST_PROJECT characters at most" \
        "COMPOSE_PROJECT_NAME=${better:-channels}   in .env, or where it is set"
}

counting_file() { # counting_file NAME: the file with the effective line, else the last file
    local file last=.env found=''
    while IFS= read -r file; do
        [ -n "$file" ] || continue
        last=$file
        [ -z "$(line_of "$1" "$file")" ] || found=$file
    done < <(env_files)
    echo "${found:-$last}"
}

line_of() { # line_of NAME FILE: the number of the last line that sets it
    awk -v name="$1" '{ text = $0; sub(/^\357\273\277/, "", text); sub(/^[ \t]*(export[ \t]+)?/, "", text) }
        text ~ "^" name "[ \t]*[=:]" { line = FNR }
        END { print line }' "$2"
}

set_variable() { # set_variable NAME VALUE [FILE]
    local name=$1 value=$2 file read # scratch is not local: the trap needs it after the function returns
    file=${3:-$(counting_file "$name")}
    [ -f "$file" ] || fail "no $file in $PWD" \
        "the file that keeps this deployment's settings" \
        "make up   (creates it), or: cp .env.example .env && chmod 600 .env"
    while [ -L "$file" ]; do # keep the link: several releases of this folder may share one file
        case $(readlink "$file") in /*) file=$(readlink "$file") ;; *) file=$(dirname "$file")/$(readlink "$file") ;; esac
    done
    case $value in
    *[\'$'\n']*) fail "a quote or a line break in the value of $name" \
        "one line without '" "edit $file by hand" ;;
    *[!A-Za-z0-9_./:@,+%=-]*) value="'$value'" ;; # Compose takes '…' literally
    esac
    # In the same folder, so that the final rename stays on one file system and is atomic.
    # `cp -p` first, so that under sudo the file keeps its owner.
    scratch=$(mktemp "$file.XXXXXX")
    trap 'rm -f "$scratch"' EXIT
    cp -p "$file" "$scratch"
    chmod 600 "$scratch"
    # The text is passed in the environment, because `awk -v` would interpret its backslashes.
    LINE="$name=$value" awk -v name="$name" -v live="$(line_of "$name" "$file")" '
        NR == FNR { if (!note && $0 ~ "^#[ \t]*" name "=") note = FNR; next }
        FNR == (live ? live : note) { print ENVIRON["LINE"]; done = 1; next }
        { print }
        END { if (!done) print ENVIRON["LINE"] }' "$file" "$file" > "$scratch"
    # If another line keeps Compose from reading the file, the check of .env reports that.
    if [ "$name" != COMPOSE_PROJECT_NAME ] && read=$(unset "$name" && ask "$name" --project-name unused --env-file "$scratch" 2> /dev/null) &&
        [ "$(value_of "$name" "$read")" != "$2" ]; then
        fail "$file, in which Compose would read '$(value_of "$name" "$read")' for $name" "$2" "edit $file by hand"
    fi
    mv -f "$scratch" "$file"
    trap - EXIT
}

[[ ${2-} =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || set -- usage
case $1:$# in
get:2 | get:3) get "${@:2}" ;;
print:*) print "${@:2}" ;;
set:3 | set:4) set_variable "${@:2}" ;;
*)
    echo "usage: bash deploy/dotenv.sh get NAME [DEFAULT] | print NAME… | set NAME VALUE [FILE]" >&2
    exit 1
    ;;
esac
