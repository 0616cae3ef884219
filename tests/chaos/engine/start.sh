#!/bin/sh
# Runs the engine in a container, again whenever it has ended: start.sh OPTIONS-OF-DOCKERD…
set -eu

# An engine makes control groups, and a container sees its own as read-only.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -o remount,rw /sys/fs/cgroup
    # Version 2 gives controllers to none whose parent has processes of its own.
    mkdir -p /sys/fs/cgroup/init
    while read -r process; do echo "$process" > /sys/fs/cgroup/init/cgroup.procs || true; done < /sys/fs/cgroup/cgroup.procs
    sed 's/\([a-z]*\)/+\1/g' /sys/fs/cgroup/cgroup.controllers > /sys/fs/cgroup/cgroup.subtree_control
else
    for group in /sys/fs/cgroup /sys/fs/cgroup/*; do mount -o remount,bind,rw "$group"; done
fi

while true; do
    dockerd --pidfile /run/docker.pid "$@" || true
done
