"""Finds routes that nothing can reach, because an earlier one takes their addresses."""

from __future__ import annotations

from itertools import islice, product
from typing import TYPE_CHECKING, Any, NamedTuple

from django.utils.regex_helper import normalize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

# Sample values for the variable parts of an address: ordinary names and numbers. A route that gets only unusual values,
# such as `<str:…>` after `<slug:…>`, is as good as hidden. Values with a slash are for routes that match everything.
VALUES = ("lobby", "room_1", "7", "2024", "0f8fad5b-d9cb-469f-a165-70867728950e", "a/b", "no/such.page")
MOST = 500  # addresses tried for each route


class Route(NamedTuple):
    patterns: tuple[Any, ...]  # its own pattern, preceded by those of the including routes
    callback: Callable[..., Any]

    def __str__(self) -> str:
        return "".join(str(pattern) for pattern in self.patterns) or "''"

    def takes(self, path: str) -> bool:
        for pattern in self.patterns:
            match = pattern.match(path)
            if match is None:
                return False
            path = match[0]
        return True

    def addresses(self) -> Iterator[str]:
        """Some addresses that it would match if it were the only route."""
        parts = (list(_samples(pattern)) for pattern in self.patterns)
        return filter(self.takes, islice(("".join(part) for part in product(*parts)), MOST))


def routes(patterns: Iterable[Any], before: tuple[Any, ...] = ()) -> Iterator[Route]:
    """The routes of a Django URLconf, or of Channels' URLRouter, in the order in which they are tried."""
    for entry in patterns:
        own = (*before, entry.pattern)
        if (nested := getattr(entry, "url_patterns", None) or getattr(entry.callback, "routes", None)) is not None:
            yield from routes(nested, own)
        else:
            yield Route(own, entry.callback)


def hidden(found: Iterable[Route]) -> Iterator[tuple[Route, Route]]:
    """Each route that cannot be reached, with one that takes its addresses."""
    earlier: list[Route] = []
    for route in found:
        takers = [_taker(earlier, path) for path in route.addresses()]
        if takers and takers[0] and all(takers):
            yield route, takers[0]
        earlier.append(route)


def _taker(earlier: list[Route], path: str) -> Route | None:
    return next((route for route in earlier if route.takes(path)), None)


def _samples(pattern: Any) -> Iterator[str]:
    """Texts that may match the pattern. The caller checks whether they do."""
    for text, names in normalize(pattern.regex.pattern):
        for values in product(VALUES, repeat=len(names)):
            yield text % dict(zip(names, values, strict=True))
    yield VALUES[-1]  # for a pattern that matches everything, for which `normalize` returns the shortest text
