"""``client(address)``: what a program says before it connects to a cluster."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

    from ._context import RayContext


class ClientBuilder:
    """Collects what a connection needs; `connect` makes it.

    Parameters
    ----------
    address : str or None
        None or ``"local"`` starts a session here. Connections to other machines are not available
        in this release.
    """

    def __init__(self, address: str | None) -> None:
        self.address = address
        self._options: dict[str, Any] = {}

    def env(self, env: Mapping[str, Any]) -> Self:
        """Set the environment of tasks and actors, as `init` has it in `runtime_env`."""
        self._options["runtime_env"] = env
        return self

    def namespace(self, namespace: str) -> Self:
        """Set the namespace in which actors have their names."""
        self._options["namespace"] = namespace
        return self

    def connect(self) -> RayContext:
        """Start the session.

        Raises
        ------
        ConnectionError
            The address is that of another machine.
        """
        from ._init import init

        return init(self.address or "local", **self._options)


def client(address: str | None = None, _deprecation_warn_enabled: bool = True) -> ClientBuilder:
    """Return what collects the options of a connection; deprecated, `init` takes them all.

    Parameters
    ----------
    address : str, optional
    """
    if _deprecation_warn_enabled:
        import warnings

        warnings.warn(
            "Starting a connection through `ray.client` will be deprecated in future ray versions "
            "in favor of `ray.init`. See the docs for more details: https://docs.ray.io/en/latest/"
            "cluster/running-applications/job-submission/ray-client.html.",
            DeprecationWarning,
            stacklevel=2,
        )
    import os

    builder = ClientBuilder(address or os.environ.get("RAY_ADDRESS"))
    namespace = os.environ.get("RAY_NAMESPACE")
    return builder.namespace(namespace) if namespace else builder
