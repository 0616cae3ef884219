"""A pytest plugin: our server and our command line in the place of Daphne's."""

from __future__ import annotations

import importlib
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
from daphne import cli, testing

from app.servers.daphne import CommandLineInterface

if TYPE_CHECKING:
    from collections.abc import Iterator

STARTUP_SECONDS = 10  # Daphne's tests wait for 2, which a busy machine may need
reinstall_reactor = testing._reinstall_reactor


def reinstall_reactor_and_server() -> None:
    """In the process that a test starts for its server.

    There Daphne forgets the reactor and its own server, and imports both again; ours refers to both from its import on.
    """
    import daphne

    reinstall_reactor()
    for name in ("daphne.server", "daphne.cli", "app.servers.daphne"):
        sys.modules.pop(name, None)
    del daphne.server, daphne.cli
    ours: Any = importlib.import_module("app.servers.daphne")
    stock: Any = importlib.import_module("daphne.server")
    stock.Server = ours.Server


testing._reinstall_reactor = reinstall_reactor_and_server
testing.BaseDaphneTestingInstance.startup_timeout = STARTUP_SECONDS
cli.CommandLineInterface = CommandLineInterface


def pytest_collection_modifyitems() -> None:
    """What the tests expect of every scope and server, and ASGI and Daphne do not."""
    allow_extensions(importlib.import_module("http_base").DaphneTestCase)
    # Stands in for a server; ours counts the applications that it had to cancel.
    importlib.import_module("test_cli").TestCLIInterface.TestedCLI.TestedServer.cancelled = 0


def allow_extensions(case: Any) -> None:
    assert_key_sets = case.assert_key_sets

    def allowing_extensions(self: Any, required_keys: set[str], optional_keys: set[str], actual_keys: Any) -> None:
        assert_key_sets(self, required_keys, optional_keys | {"extensions"}, actual_keys)

    case.assert_key_sets = allowing_extensions


@pytest.fixture(autouse=True)
def handled_as_before() -> Iterator[None]:
    """The command line ends its process at once when SIGTERM comes before it serves; this process goes on."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)
