# shellcheck shell=bash
# One command at a time changes the stack of this folder. Not flock: macOS has none.

LOCK=.state/changing

lock() { # lock COMMAND; ends with the script that calls it
    local holder
    mkdir -p .state
    until (set -o noclobber && echo "$$ $1" > "$LOCK") 2> /dev/null; do
        holder=$(cat "$LOCK" 2> /dev/null) || continue
        if kill -0 "${holder%% *}" 2> /dev/null; then
            printf '%s: found:    make %s at work on this stack (process %s)\n%s: expected: one at a time\n%s: mend:     wait until it has ended; or rm %s, if that process is another by now\n' \
                "$1" "${holder#* }" "${holder%% *}" "$1" "$1" "$LOCK" >&2
            exit 1
        fi
        rm -f "$LOCK" # its process was killed
    done
    trap unlock EXIT
}

unlock() { rm -f "$LOCK"; }
