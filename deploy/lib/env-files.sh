# shellcheck shell=bash
# The files that Compose takes variables from, and what it reads in them. Compose is the only reader: nothing
# here takes a line apart, except to leave out one that Compose cannot read. Sourced with the repository's root
# as the working directory.

without_env_file() { [[ ${COMPOSE_DISABLE_ENV_FILE:-} =~ ^(1|[tT]|true|TRUE|True)$ ]]; } # as Compose reads it

env_files() { # one a line; a later one wins over an earlier one
    if without_env_file; then
        return
    elif [ -n "${COMPOSE_ENV_FILES:-}" ]; then
        tr ',' '\n' <<< "$COMPOSE_ENV_FILES"
    elif [ -f .env ]; then
        echo .env
    fi
}

# Options win over variables of Compose's own, which may be at fault too.
compose() {
    without_env_file || local -x COMPOSE_DISABLE_ENV_FILE=false
    docker compose --progress quiet --parallel 1 "$@"
}

names() { # all that anything of the stack reads, and Compose's own where they are set
    sed -n 's/^\(# \)\{0,1\}\([A-Z][A-Z0-9_]*\)=.*/\2/p' .env.example
    compgen -e COMPOSE_ || true
}

default_project() { sed -n 's/^name: *//p' compose.yaml; }

# A project that asks for these variables and for nothing else, so that no other fault stands in the way.
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
    # Whatever else is at fault, what can be read counts. deploy/check-env.sh reports the rest.
    readable_copies "$(mktemp -d)"
    local status=0
    ask "$*" --project-name unused "${copies[@]}" || status=$?
    rm -rf "$scratch"
    return "$status"
}

project_that_compose_reads() {
    local said
    # Else Compose takes the name from compose.yaml, and never says which files it has read.
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
copies=()     # --env-file options: what of the files Compose can read
unreadable='' # what it cannot, one a line

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
        # Compose does not always name a line, and of a quote that is not closed it names the end of the file.
        if [ -z "$line" ] || [ -z "$(sed -n "${line}p" "$2")" ]; then line=$(first_unreadable "$2"); fi
        said=$(grep -v '^time=' <<< "$said" | head -n 1 | sed 's/^failed to read [^:]*: //; s/^line [0-9]*: //')
        unreadable="$unreadable$1: line $line: Compose cannot read it: $said."$'\n'
        sed "${line}s/.*//" "$2" > "$2.without" && mv "$2.without" "$2"
    done
}

complaint() { ask COMPOSE_FILE --project-name unused --env-file "$1" 2>&1; } # complaint FILE: what Compose says of it

first_unreadable() { # first_unreadable FILE: the number of the first line with which Compose cannot read it
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
