"""A client of chat.v1 for tests, load and chaos, and what its records prove."""
