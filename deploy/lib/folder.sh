# shellcheck shell=bash
# A project belongs to one folder, whose secrets its containers mount by path. Compose finds containers and volumes
# only by the project's name: in a copy of the folder, it would take the original's for its own.
#
# Containers record the folder that started them. If only data are left, the label of an empty volume names it.

# shellcheck source=deploy/lib/lock.sh
. deploy/lib/lock.sh
# shellcheck source=deploy/lib/port.sh
. deploy/lib/port.sh

elsewhere='' # another clone, to which the project belongs
moved=''     # a folder that is gone, or was left by TAKE=1: containers started there must be replaced

# Every command that changes the project takes the lock and then calls this.
own() { # own COMMAND; with TAKE=1 the project belongs to this folder from now on
    local project
    project=$(project_name .)
    locate "$project"
    if [ -n "$elsewhere" ] && [ "${TAKE:-}" = 1 ]; then moved=$elsewhere elsewhere=; fi
    [ -z "$elsewhere" ] || refuse "$1" "project '$project', which belongs to $elsewhere" \
        "this folder, $PWD" "make $1   there; or here $(ways_on)"
    case $1 in
    deploy | rollback | scale | watch) # these leave some containers unchanged
        [ -z "$moved" ] || refuse "$1" "containers that mount the secrets of $moved, and would not start again" \
            "this folder's, $PWD" "make up   (replaces them), then make $1" ;;
    esac
    [ -z "$(objects "$project")" ] || claim "$project"
}

own_again() { # own_again COMMAND, just before replacing: another folder may have started the project during the build
    local before=$moved
    own "$1"
    moved=${moved:-$before}
}

# For commands that change nothing: warns that Compose shows another folder's stack.
name_owner() { # name_owner COMMAND
    local project
    project=$(project_name .)
    locate "$project"
    [ -z "$elsewhere" ] || echo "$1: project '$project' belongs to $elsewhere: this is that folder's stack, not one of $PWD" >&2
}

ways_on() { # the options for a folder to which the project does not belong
    echo "another COMPOSE_PROJECT_NAME, HTTP_PORT and PUBLIC_URL in .env;" \
        "or make up TAKE=1, if the stack and its data are to belong to this folder"
}

locate() { # locate PROJECT: sets `elsewhere` and `moved`
    local folder
    elsewhere='' moved=''
    while IFS= read -r folder; do
        if [ -z "$folder" ] || [ "$folder" -ef . ]; then continue; fi
        if gone "$folder"; then moved=$folder; else elsewhere=$folder; fi
    done < <(folders "$1")
}

folders() { # folders PROJECT: the folders that started its containers; without containers, the owner of its data
    local found
    found=$(docker ps --all --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.oneoff=False \
        --format '{{.Label "com.docker.compose.project.working_dir"}}' 2> /dev/null | sort -u)
    [ -n "$found" ] || [ -z "$(objects "$1")" ] || found=$(marked "$1")
    echo "$found"
}

objects() { # objects PROJECT: its containers and volumes
    docker ps --all --quiet --filter "label=com.docker.compose.project=$1" 2> /dev/null
    docker volume ls --quiet --filter "label=com.docker.compose.project=$1" 2> /dev/null
}

# Whether the folder no longer has a clone. A folder that this user may not read does not count as gone.
gone() { # gone FOLDER
    local parent=$1
    [ ! -e "$1/compose.yaml" ] || return 1
    until [ -d "$parent" ]; do parent=$(dirname "$parent"); done
    [ -x "$parent" ]
}

marked() { docker volume inspect --format '{{index .Labels "folder"}}' "$1_folder" 2> /dev/null; } # marked PROJECT

claim() { # claim PROJECT: marks it as this folder's; also called before its first containers and volumes exist
    local folder
    folder=$(marked "$1") || folder=
    if [ -n "$folder" ] && [ "$folder" -ef . ]; then return; fi
    docker volume rm "$1_folder" > /dev/null 2>&1 || true
    docker volume create --label "folder=$PWD" "$1_folder" > /dev/null
}

unclaim() { docker volume rm "$1_folder" > /dev/null 2>&1 || true; } # unclaim PROJECT
