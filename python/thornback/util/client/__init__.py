"""Ray Client, which is not available in this release: there is never a connection."""

from __future__ import annotations


class _ClientAPI:
    """What libraries ask to find out whether they run through Ray Client."""

    def is_connected(self) -> bool:
        """Whether there is a connection: never."""
        return False


ray = _ClientAPI()
