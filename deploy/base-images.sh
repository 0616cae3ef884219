#!/usr/bin/env bash
# Makes sure that the engine has the three base images that compose.yaml builds on.
#
#   deploy/base-images.sh            pulls missing images; if no registry has them,
#                                    builds stand-ins and writes the choice to .env
#   deploy/base-images.sh --print    the same without changing .env: prints the three
#                                    NAME=image lines to export (messages on stderr)
#
# Silent if all are there. Only replaces defaults: if .env or the environment names an image
# that cannot be pulled, that is an error.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/.." && pwd)
print=
[ "${1-}" != --print ] || print=yes

say() { printf 'base-images: %s\n' "$@" >&2; }
fail() { say "$@" && exit 1; }
present() { docker image inspect "$1" >/dev/null 2>&1; }

# Only compose.yaml has the defaults: ${PYTHON_IMAGE:-python:…}.
default_of() { sed -n "s/.*\${$1:-\([^}]*\)}.*/\1/p" "$root/compose.yaml" | head -n 1; }

stand_in_of() {
    case $1 in
    PYTHON_IMAGE) echo standin/python:3.13 ;;
    NGINX_IMAGE) echo standin/nginx:1.30 ;;
    REDIS_IMAGE) echo standin/redis:8.0 ;;
    esac
}

given=$(bash "$here/dotenv.sh" print PYTHON_IMAGE NGINX_IMAGE REDIS_IMAGE)
wanted=() pulls=() targets=() choices=()
for name in PYTHON_IMAGE NGINX_IMAGE REDIS_IMAGE; do
    default=$(default_of "$name")
    [ -n "$default" ] || fail "found:    no \${$name:-…} in compose.yaml" \
        "expected: the default image there" "fix:      git checkout compose.yaml"
    image=$(sed -n "s/^$name=//p" <<< "$given")
    image=${image:-$default}
    wanted+=("$name $image $default")
    if ! present "$image" && [ "$image" != "$(stand_in_of "$name")" ]; then pulls+=("$image"); fi
done
unanswered=
[ ${#pulls[@]} = 0 ] || unanswered=$(bash "$here/base-images/pull.sh" "${pulls[@]}")

for entry in "${wanted[@]}"; do
    read -r name image default <<<"$entry"
    if ! present "$image"; then
        stand_in=$(stand_in_of "$name")
        reason=$(awk -v image="$image" '$1 == image && !n++ { print substr($0, length(image) + 2) }' <<<"$unanswered")
        [ "$image" = "$default" ] || [ "$image" = "$stand_in" ] ||
            fail "found:    $name=$image, which is not on this engine and cannot be pulled: $reason" \
                "expected: an image that is here or can be pulled" \
                "fix:      correct $name in .env, or take the line out for the default $default"
        [ -z "$reason" ] || say "the registry does not give $image ($reason)"
        present "$stand_in" || targets+=("$(echo "${name%_IMAGE}" | tr '[:upper:]' '[:lower:]')")
        [ "$image" = "$stand_in" ] || choices+=("$name $stand_in $image")
        image=$stand_in
    fi
    [ -z "$print" ] || echo "$name=$image"
done
[ -n "$print" ] || [ ${#choices[@]} = 0 ] || [ -f "$root/.env" ] ||
    fail "found:    no .env to write the choice of stand-ins to" \
        "expected: the file that make up creates" "fix:      cp .env.example .env   or: bash deploy/base-images.sh --print"

if [ ${#targets[@]} != 0 ]; then
    say "building stand-ins from Debian packages: ${targets[*]} (a minute or two, once)"
    bash "$here/base-images/build.sh" "${targets[@]}"
fi
for choice in ${choices[@]+"${choices[@]}"}; do
    read -r name stand_in image <<<"$choice"
    if [ -n "$print" ]; then
        say "using the stand-in $stand_in for $image"
    else
        bash "$here/dotenv.sh" set "$name" "$stand_in"
        say "the choice is written to .env as $name=$stand_in (take the line out to try $image again)"
    fi
done
