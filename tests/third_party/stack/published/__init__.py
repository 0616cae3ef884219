"""A Django app that uses published packages for Channels, as their own documentation says.

Nothing in it knows this stack; conftest.py puts it into a clone as `published`.
"""
