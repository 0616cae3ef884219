# shellcheck shell=bash
# Finds the files from which Compose takes variables, and the values that it reads. Only Compose parses the files:
# this code only removes lines that Compose cannot read. Sourced with the repository's root as the working
# directory.

without_env_file() { [[ ${COMPOSE_DISABLE_ENV_FILE:-} =~ ^(1|[tT]|true|TRUE|True)$ ]]; } # as Compose reads it

env_files() { # one per line; later files override earlier ones
    if without_env_file; then
        return
    elif [ -n "${COMPOSE_ENV_FILES:-}" ]; then
        tr ',' '\n' <<< "$COMPOSE_ENV_FILES"
    elif [ -f .env ]; then
        echo .env
    fi
}

# Options override Compose's own variables, which may be wrong too.
compose() {
    without_env_file || local -x COMPOSE_DISABLE_ENV_FILE=false
    docker compose --progress quiet --parallel 1 "$@"
}

names() { # all variables that the stack reads, and those of Compose's own that are set
    sed -n 's/^\(# \)\{0,1\}\([A-Z][A-Z0-9_]*\)=.*/\2/p' .env.example
    compgen -e COMPOSE_ || true
}

default_project() { sed -n 's/^name: *//p' compose.yaml; }

# A project that uses only these variables, so that no other fault interferes.
asking() { # asking NAME…
    local name
    echo "name: $(default_project)"
    echo "services:"
    # shellcheck disable=SC2016  # for Compose to replace
    for name; do printf '  %s: { image: "%s=${%s-}" }\n' "$name" "$name" "$name"; done
}

ask() { # ask "NAME…" COMPOSE-OPTION…: NAME=value for each, in any order; an unset one as NAME=
    # shellcheck disable=SC2086  # one argument each
    asking $1 | compose "${@:2}" --file - --project-directory . config --images
}

compose_reads() { # compose_reads NAME…
    # A name that Compose refuses must not hide the other variables.
    ask "$*" --project-name unused 2> /dev/null && return
    # Use all that Compose can read, whatever else is wrong. deploy/check-env.sh reports the rest.
    readable_copies "$(mktemp -d)"
    local status=0
    ask "$*" --project-name unused "${copies[@]}" || status=$?
    rm -rf "$scratch"
    return "$status"
}

project_that_compose_reads() {
    local said
    # Otherwise Compose would take the name from compose.yaml, and not say which files it has read.
    if [ -n "${COMPOSE_PROJECT_NAME:-}" ]; then
        echo "$COMPOSE_PROJECT_NAME"
        return
    fi
    if ! said=$(ask COMPOSE_PROJECT_NAME 2>&1) && [[ $said != *"invalid project name"* ]]; then
        readable_copies "$(mktemp -d)"
        said=$(ask COMPOSE_PROJECT_NAME "${copies[@]}" 2>&1) || true
        rm -rf "$scratch"
    fi
    sed -n 's/^COMPOSE_PROJECT_NAME=//p; s/^invalid project name "\(.*\)": .*/\1/p' <<< "$said" | head -n 1
}

# ── Files that Compose cannot read ─────────────────────────────────────────────────────────────

scratch=''
copies=()     # --env-file options: copies of the files with only the lines that Compose can read
unreadable='' # messages about the others, one per line

readable_copies() { # readable_copies FOLDER
    local file copy number=0
    scratch=$1 copies=(--env-file /dev/null) unreadable=''
    while IFS= read -r file; do
        [ -n "$file" ] || continue
        number=$((number + 1)) copy=$scratch/$number
        if ! (umask 077 && cat -- "$file" > "$copy") 2> /dev/null; then
            unreadable="$unreadable$file: Compose is told to read it, and there is no such file that $(id -un) may read."$'\n'
            continue
        fi
        leave_out_unreadable "$file" "$copy"
        copies+=(--env-file "$copy")
    done < <(env_files)
}

leave_out_unreadable() { # leave_out_unreadable FILE COPY
    local line said tries=100
    while [ "$tries" -gt 0 ] && ! said=$(complaint "$2"); do
        tries=$((tries - 1))
        line=$(sed -n 's/.*: line \([0-9]*\): .*/\1/p' <<< "$said" | head -n 1)
        # Compose does not always name a line, and for an unclosed quote it names the end of the file.
        if [ -z "$line" ] || [ -z "$(sed -n "${line}p" "$2")" ]; then line=$(first_unreadable "$2"); fi
        said=$(grep -v '^time=' <<< "$said" | head -n 1 | sed 's/^failed to read [^:]*: //; s/^line [0-9]*: //')
        unreadable="$unreadable$1: line $line: Compose cannot read it: $said."$'\n'
        sed "${line}s/.*//" "$2" > "$2.without" && mv "$2.without" "$2"
    done
}

complaint() { ask COMPOSE_FILE --project-name unused --env-file "$1" 2>&1; } # complaint FILE: Compose's error about it

first_unreadable() { # first_unreadable FILE: the number of the first line that makes Compose fail
    local low=0 high middle
    high=$(awk 'END { print NR }' "$1")
    while [ $((low + 1)) -lt "$high" ]; do
        middle=$(((low + high) / 2))
        head -n "$middle" "$1" > "$1.head"
        if complaint "$1.head" > /dev/null; then low=$middle; else high=$middle; fi
    done
    rm -f "$1.head"
    echo "$high"
}
