# shellcheck shell=bash
# Whether Compose, BuildKit and the engine can work with this folder. Sourced by preflight.sh and migrations.sh.

# Compose parses the path like an address, and writes it into lists with commas and quotes. BuildKit puts the path's
# last component into a header.
unusable_part() { # unusable_part PATH: prints the part that they cannot handle; fails if there is none
    local LC_ALL=C
    case $1 in
    *[[:cntrl:]]*) echo "a line break or another control character" ;;
    *[\"%,]*) echo "a quotation mark, a comma or a percent sign" ;;
    *\$\{*) echo "a dollar sign before a brace" ;;
    *) case ${1##*/} in *[![:print:]]*) echo "a last name with a letter beyond ASCII" ;; *) return 1 ;; esac ;;
    esac
}

# An engine on another machine, or in a container that shares only its socket, has other files at this path. This finds
# out with a container that is never started; its image is empty.
engine_sees() { # engine_sees FOLDER
    local file image container seen=
    file=$(mktemp "$1/.state/seen.XXXXXX" 2> /dev/null) || file=$1/compose.yaml # .state/ is not writable
    [ -s "$file" ] || echo "${file##*.}" > "$file"
    if image=$(tar -cf - -T /dev/null | docker import - 2> /dev/null); then
        if container=$(docker create --network none --mount "type=bind,source=$file,target=/seen" "$image" none 2> /dev/null); then
            seen=$(docker cp "$container:/seen" - 2> /dev/null | tar -xOf - 2> /dev/null) || seen=
            docker rm "$container" > /dev/null
        fi
        docker image rm "$image" > /dev/null 2>&1
    fi
    [ "$seen" = "$(cat "$file")" ] || seen=
    [ "$file" = "$1/compose.yaml" ] || rm -f "$file"
    [ -n "$seen" ]
}
