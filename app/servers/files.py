"""How many files a process may have open."""

import logging
import resource

logger = logging.getLogger(__name__)


def raise_limit() -> None:
    """To as many as the engine permits: each connection is one.

    The lower limit is for programs that use select(): https://0pointer.net/blog/file-descriptor-limits.html
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (ValueError, OSError) as fault:  # some kernels and sandboxes refuse what they have just named
        logger.warning("the limit of open files stays as it is: %r", fault)
