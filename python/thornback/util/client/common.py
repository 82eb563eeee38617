"""Classes of Ray Client's references, for `isinstance`: there are no instances."""

from __future__ import annotations


class ClientObjectRef:
    """A reference through Ray Client."""


class ClientActorRef:
    """An actor's reference through Ray Client."""


class ClientActorHandle:
    """An actor's handle through Ray Client."""
