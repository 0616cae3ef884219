"""Threads for the stack's own database queries, which consumers cannot occupy."""

from concurrent.futures import ThreadPoolExecutor

from channels.db import DatabaseSyncToAsync


class OwnThreads(DatabaseSyncToAsync):
    """`database_sync_to_async` without the single thread that all synchronous consumers of a process share.

    A test that calls the application from synchronous code keeps its one thread, and so the connection with its
    transaction: asgiref uses this pool only if there is no synchronous caller.
    """

    # Each thread has a database connection while it works.
    single_thread_executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="own")
