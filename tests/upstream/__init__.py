"""The own tests of the packages whose classes we subclass, run against our classes."""
