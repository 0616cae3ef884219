#!/bin/sh
# For `make doctor`: prints the disk space for Redis' files. With `check`, which requires that Redis is stopped, it also
# prints whether Redis can read them: `sound`, `none`, `unreadable FILE` or `damaged WHY`. Changes nothing.
set -eu

DEADLINE=60 # seconds
FILES=/data/appendonlydir
MANIFEST=$FILES/appendonly.aof.manifest

df -Pk /data | tail -n 1
[ "${1:-}" = check ] || exit 0
for file in /data "$FILES" "$FILES"/*; do
    if [ -e "$file" ] && [ ! -r "$file" ]; then echo "unreadable $file" && exit; fi
done
if [ ! -e "$MANIFEST" ]; then
    for file in "$FILES"/*; do
        if [ -e "$file" ]; then echo "damaged no $MANIFEST beside $file" && exit; fi
    done
    echo none
elif said=$(timeout "$DEADLINE" redis-check-aof "$MANIFEST" 2>&1 < /dev/null); then
    echo sound
else
    case $said in
    # A power cut leaves a truncated file, and Redis reads it up to its end.
    *"Expected to read"* | *"Reached EOF"*) echo sound ;;
    *) echo "damaged $(echo "$said" | grep -v '^Start checking' | tail -n 4 | tr '\n' ' ')" ;;
    esac
fi
