# shellcheck shell=bash
# One command at a time changes the stack of this folder. Not flock: macOS has none.

LOCK=.state/changing

lock() { # lock COMMAND; ends with the script that calls it
    local mine='' holder='' tries=20
    # Filled, then linked: nobody ever sees it empty.
    if ! { mkdir -p .state && mine=$(mktemp "$LOCK.XXXXXX") && echo "$$ $1" > "$mine" && chmod 644 "$mine"; } 2> /dev/null; then
        rm -f "$mine"
        refuse "$1" ".state/, in which $(id -un) cannot write" "the user who first called make up, and room on the disk" \
            "sudo chown -R $(id -un) .state secrets .env   or: sudo make $1"
    fi
    until ln "$mine" "$LOCK" 2> /dev/null; do
        holder=$(cat "$LOCK" 2> /dev/null) || holder= # gone since
        if living "${holder%% *}"; then
            rm -f "$mine"
            refuse "$1" "make ${holder#* } at work on this stack (process ${holder%% *})" "one at a time" \
                "wait until it has ended; or rm $LOCK, if that process is another by now"
        fi
        [ -z "$holder" ] || rm -f "$LOCK" 2> /dev/null || true # its process was killed
        tries=$((tries - 1))
        if [ "$tries" = 0 ]; then
            rm -f "$mine"
            refuse "$1" "$LOCK, which cannot be made anew" "a file system with hard links, and leave to write there" \
                "sudo rm -f $LOCK; then make $1"
        fi
        sleep 0.1
    done
    rm -f "$mine"
    trap unlock EXIT
}

# `make upgrade` and `make restore` write a backup while they hold the lock themselves.
lock_unless_caller_has() { # lock_unless_caller_has COMMAND
    local holder
    read -r holder _ 2> /dev/null < "$LOCK" || holder=
    [ "$holder" = "$PPID" ] || lock "$1"
}

unlock() { # unless it is another's
    local holder
    read -r holder _ 2> /dev/null < "$LOCK" || holder=
    [ "$holder" != $$ ] || rm -f "$LOCK"
}

# `kill -0` says no of another user's process too; neither /proc nor ps is everywhere.
living() { [ -n "$1" ] && { kill -0 "$1" 2> /dev/null || [ -d "/proc/$1" ] || ps -p "$1" > /dev/null 2>&1; }; }

refuse() { # refuse COMMAND FOUND EXPECTED FIX
    printf "$1: found:    %s\n$1: expected: %s\n$1: fix:      %s\n" "${@:2}" >&2
    exit 1
}
