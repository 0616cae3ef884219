"""The part of `make backup` and `make restore` that deploy/backup.sh and restore.sh start in a container."""
