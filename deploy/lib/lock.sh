# shellcheck shell=bash
# A lock, so that only one command at a time changes this folder's stack. It does not use flock, which macOS lacks.

LOCK=.state/changing

lock() { # lock COMMAND; released when the calling script ends
    local mine='' holder='' tries=20
    # Written first and then linked, so that no process sees an empty lock.
    if ! { mkdir -p .state && mine=$(mktemp "$LOCK.XXXXXX") && echo "$$ $1" > "$mine" && chmod 644 "$mine"; } 2> /dev/null; then
        rm -f "$mine"
        refuse "$1" ".state/, in which $(id -un) cannot write" "the user who first called make up, and room on the disk" \
            "sudo chown -R $(id -un) .state secrets .env   or: sudo make $1"
    fi
    until ln "$mine" "$LOCK" 2> /dev/null; do
        holder=$(cat "$LOCK" 2> /dev/null) || holder= # released meanwhile
        if living "${holder%% *}"; then
            rm -f "$mine"
            refuse "$1" "make ${holder#* } at work on this stack (process ${holder%% *})" "one at a time" \
                "wait until it has ended; or rm $LOCK, if that process is another by now"
        fi
        [ -z "$holder" ] || rm -f "$LOCK" 2> /dev/null || true # its process was killed
        tries=$((tries - 1))
        if [ "$tries" = 0 ]; then
            rm -f "$mine"
            refuse "$1" "$LOCK, which cannot be created" "a file system with hard links, and permission to write there" \
                "sudo rm -f $LOCK; then make $1"
        fi
        sleep 0.1
    done
    rm -f "$mine"
    trap unlock EXIT
}

# For the backup that `make upgrade` and `make restore` write while they hold the lock themselves.
lock_unless_caller_has() { # lock_unless_caller_has COMMAND
    local holder
    read -r holder _ 2> /dev/null < "$LOCK" || holder=
    [ "$holder" = "$PPID" ] || lock "$1"
}

unlock() { # unless another process holds it
    local holder
    read -r holder _ 2> /dev/null < "$LOCK" || holder=
    [ "$holder" != $$ ] || rm -f "$LOCK"
}

# `kill -0` also fails for another user's process. Some systems lack /proc or ps, so this tries both.
living() { [ -n "$1" ] && { kill -0 "$1" 2> /dev/null || [ -d "/proc/$1" ] || ps -p "$1" > /dev/null 2>&1; }; }

refuse() { # refuse COMMAND FOUND EXPECTED FIX
    printf "$1: found:    %s\n$1: expected: %s\n$1: fix:      %s\n" "${@:2}" >&2
    exit 1
}
