"""Raises the limit of open files."""

import logging
import resource

logger = logging.getLogger(__name__)


def raise_limit() -> None:
    """Raises the soft limit to the hard limit, because each connection takes a file descriptor.

    The soft limit is low only for programs that use select(): https://0pointer.net/blog/file-descriptor-limits.html
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (ValueError, OSError) as fault:  # some kernels and sandboxes refuse the limit they just reported
        logger.warning("could not raise the limit of open files: %r", fault)
