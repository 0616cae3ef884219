"""What `make backup` and `make restore` do with the data; deploy/backup.sh and restore.sh start it in a container."""
