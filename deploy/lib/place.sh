# shellcheck shell=bash
# Whether Compose, BuildKit and the engine can work with this folder. Sourced by preflight.sh and migrations.sh.

# Compose takes the path for an address, and writes it into lists with commas and quotes. BuildKit puts the last name
# into a header.
unusable_part() { # unusable_part PATH: prints what of it they cannot take; fails if there is nothing
    local LC_ALL=C
    case $1 in
    *[[:cntrl:]]*) echo "a line break or another control character" ;;
    *[\"%,]*) echo "a quotation mark, a comma or a percent sign" ;;
    *\$\{*) echo "a dollar sign before a brace" ;;
    *) case ${1##*/} in *[![:print:]]*) echo "a last name with a letter beyond ASCII" ;; *) return 1 ;; esac ;;
    esac
}

# An engine on another machine, or in a container of which only the socket is shared, has other files at this path.
# A container that is never started shows which; its image holds nothing.
engine_sees() { # engine_sees FOLDER
    local file image container seen=
    file=$(mktemp "$1/.state/seen.XXXXXX" 2> /dev/null) || file=$1/compose.yaml # where nothing can be written
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
