"""Churn for as long as one likes, and what had grown by it: `make soak`."""
