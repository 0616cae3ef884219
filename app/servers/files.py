"""How many files a process may have open."""

import resource


def raise_limit() -> None:
    """To as many as the engine permits: each connection is one.

    The lower limit is for programs that use select(): https://0pointer.net/blog/file-descriptor-limits.html
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
