"""The checks of `make doctor` in a running stack; deploy/doctor.sh starts them in one of its containers."""
