#!/usr/bin/env bash
# Prints what Compose makes of every variable that counts, and of the project, for app/report.py: shell, .env or the
# files of COMPOSE_ENV_FILES, overlays, defaults. Needs no engine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/env-files.sh
. deploy/lib/env-files.sh

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

quoted() { # for YAML, and Compose must not replace anything in it
    local text=${1//\'/\'\'}
    printf "'%s'" "${text//\$/\$\$}"
}

asking_all() { # asking_all FILE…: what each file says, and what counts
    local file number=0
    printf 'name: %s\nservices:\n' "$(default_project)"
    for file; do
        printf '  file%s: { image: x, env_file: [%s] }\n' "$number" "$(quoted "$file")"
        number=$((number + 1))
    done
    printf '  variables:\n    image: x\n    environment:\n'
    names | sort -u | sed 's/^/      - /'
}

read_from=() # the files, or what of them Compose can read
while IFS= read -r file; do [ -z "$file" ] || read_from+=("$file"); done < <(env_files)

variables() {
    asking_all ${read_from[@]+"${read_from[@]}"} | compose ${copies[@]+"${copies[@]}"} --file - --project-directory . \
        config --format json
}

collect() {
    local read file said
    if ! read=$(variables 2> /dev/null); then
        readable_copies "$folder"
        read_from=("$folder"/[0-9]*)
        read=$(variables)
    fi
    printf '==== unreadable\n%s' "$unreadable"
    printf '==== dollars\n'
    while IFS= read -r file; do
        [ ! -r "$file" ] || grep -h '^[^#]*\$' "$file" || true
    done < <(env_files)
    printf '==== shell\n%s\n' "$(compgen -e)"
    printf '==== variables\n%s\n' "$read"
    [ -z "$unreadable" ] || return 0 # the project would lack what could not be read
    if said=$(compose config --format json 2> "$folder/refusal"); then
        printf '==== model\n%s\n' "$said"
    else
        printf '==== refusal\n%s\n' "$(grep -v '^time=' "$folder/refusal")"
    fi
}

collect
