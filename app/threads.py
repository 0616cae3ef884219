"""Threads for the stack's own questions to the database, which no consumer can occupy."""

from concurrent.futures import ThreadPoolExecutor

from channels.db import DatabaseSyncToAsync


class OwnThreads(DatabaseSyncToAsync):
    """`database_sync_to_async`, apart from the one thread on which all synchronous consumers of a process run.

    A test that calls the application from synchronous code keeps its one thread, and with it the connection that holds
    its transaction: asgiref comes to this pool only where there is no such caller.
    """

    # Each thread has a connection to the database while it is at work.
    single_thread_executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="own")
