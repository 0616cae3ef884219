#!/usr/bin/env bash
# Prints the variables and the project as Compose resolves them from the shell, .env or the files of COMPOSE_ENV_FILES,
# overlays and defaults. app/report.py reads the output. Needs no engine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=deploy/lib/env-files.sh
. deploy/lib/env-files.sh

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

quoted() { # for YAML, protected from Compose's interpolation
    local text=${1//\'/\'\'}
    printf "'%s'" "${text//\$/\$\$}"
}

asking_all() { # asking_all FILE…: asks for each file's values and the effective ones
    local file number=0
    printf 'name: %s\nservices:\n' "$(default_project)"
    for file; do
        printf '  file%s: { image: x, env_file: [%s] }\n' "$number" "$(quoted "$file")"
        number=$((number + 1))
    done
    printf '  variables:\n    image: x\n    environment:\n'
    names | sort -u | sed 's/^/      - /'
}

read_from=() # the files, or copies with only the lines that Compose can read
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
    [ -z "$unreadable" ] || return 0 # the project would lack the values that Compose could not read
    if said=$(compose config --format json 2> "$folder/refusal"); then
        printf '==== model\n%s\n' "$said"
    else
        printf '==== refusal\n%s\n' "$(grep -v '^time=' "$folder/refusal")"
    fi
}

collect
