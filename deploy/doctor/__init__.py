"""What `make doctor` finds in a running stack; deploy/doctor.sh starts it in one of its containers."""
