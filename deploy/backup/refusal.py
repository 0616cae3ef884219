"""The reason why a backup is not written or not restored."""


class Refused(Exception):
    """Contains what was found, what was expected, and the fix."""

    def __init__(self, found: str, expected: str, fix: str) -> None:
        super().__init__(found)
        self.found, self.expected, self.fix = found, expected, fix

    def lines(self, command: str) -> str:
        return (
            f"{command}: found:    {self.found}\n{command}: expected: {self.expected}\n{command}: fix:      {self.fix}"
        )
