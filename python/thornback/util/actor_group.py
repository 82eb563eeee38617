"""Several actors of one class that are called together; deprecated in Ray."""

from __future__ import annotations

from .annotations import Deprecated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

_ADVICE = (
    "For stateless/task processing, use ray.util.multiprocessing; for stateful processing, "
    "ray.util.ActorPool."
)


class ActorWrapper:
    """An actor of a group.

    Attributes
    ----------
    actor : ActorHandle
    metadata : object
        What its method `get_actor_metadata` gave, None when it has none.
    """

    def __init__(self, actor: Any, metadata: Any) -> None:
        self.actor = actor
        self.metadata = metadata


class ActorGroupMethod:
    """A method of all actors of a group."""

    def __init__(self, actor_group: ActorGroup, method_name: str) -> None:
        self._group = actor_group
        self._method_name = method_name

    def __call__(self, *_args: Any, **_kwargs: Any) -> None:  # noqa: D102
        name = self._method_name
        raise TypeError(
            f"ActorGroup methods cannot be called directly. Instead of running 'object.{name}()', "
            f"try 'object.{name}.remote()'."
        )

    def remote(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Call the method of each actor; return the references in their order."""
        return [
            getattr(member.actor, self._method_name).remote(*args, **kwargs)
            for member in self._group.actors
        ]


@Deprecated(message=_ADVICE, warning=True)
class ActorGroup:
    """Actors of one class; a method of the group calls that of each of them.

    Parameters
    ----------
    actor_cls : type
    num_actors : int, above 0
    num_cpus_per_actor, num_gpus_per_actor : float
    resources_per_actor : dict, optional
    init_args, init_kwargs
        For the constructor.

    Raises
    ------
    ValueError
        A number is out of its limits.
    """

    def __init__(
        self,
        actor_cls: type,
        num_actors: int = 1,
        num_cpus_per_actor: float = 1,
        num_gpus_per_actor: float = 0,
        resources_per_actor: dict[str, float] | None = None,
        init_args: Sequence[Any] | None = None,
        init_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        if num_actors <= 0:
            raise ValueError(
                "The provided `num_actors` must be greater than 0. "
                f"Received num_actors={num_actors} instead."
            )
        if num_cpus_per_actor < 0 or num_gpus_per_actor < 0:
            raise ValueError(
                "The number of CPUs and GPUs per actor must not be negative. Received "
                f"num_cpus_per_actor={num_cpus_per_actor} and "
                f"num_gpus_per_actor={num_gpus_per_actor}."
            )
        from .._remote import remote

        self.actors: list[ActorWrapper] = []
        self.num_actors = num_actors
        self._init_args = tuple(init_args or ())
        self._init_kwargs = dict(init_kwargs or {})
        self._remote_cls: Any = remote(
            num_cpus=num_cpus_per_actor,
            num_gpus=num_gpus_per_actor,
            resources=resources_per_actor,
        )(actor_cls)
        self.start()

    def __getattr__(self, item: str) -> ActorGroupMethod:
        if not self.__dict__.get("actors"):
            raise RuntimeError("This ActorGroup has been shutdown. Please start it again.")
        return ActorGroupMethod(self, item)

    def __len__(self) -> int:
        return len(self.actors)

    def __getitem__(self, item: Any) -> Any:
        return self.actors[item]

    def start(self) -> None:
        """Create the actors, after `shutdown`.

        Raises
        ------
        RuntimeError
            There are some.
        """
        if self.actors:
            raise RuntimeError(
                "The actors have already been started. Please call `shutdown` first if you want "
                "to restart them."
            )
        self.add_actors(self.num_actors)

    def shutdown(self, patience_s: float = 5) -> None:
        """End the actors.

        Parameters
        ----------
        patience_s : float, seconds
            How long calls that wait may take; 0 kills the actors at once.
        """
        from .._api import kill, wait

        handles = [member.actor for member in self.actors]
        late = handles
        if patience_s > 0 and handles:
            refs = [handle.__ray_terminate__.remote() for handle in handles]
            ready, _ = wait(refs, num_returns=len(refs), timeout=patience_s)
            done = set(ready)
            late = [handle for handle, ref in zip(handles, refs, strict=True) if ref not in done]
        for handle in late:
            kill(handle)
        self.actors = []

    def remove_actors(self, actor_indexes: Collection[int]) -> None:
        """Let the actors at these positions go."""
        self.actors = [a for i, a in enumerate(self.actors) if i not in actor_indexes]

    def add_actors(self, num_actors: int) -> None:
        """Create so many more."""
        from .._api import get

        handles = [
            self._remote_cls.remote(*self._init_args, **self._init_kwargs)
            for _ in range(num_actors)
        ]
        asked = [h.get_actor_metadata.remote() for h in handles if hasattr(h, "get_actor_metadata")]
        metadata = get(asked) or [None] * num_actors
        self.actors += map(ActorWrapper, handles, metadata)

    @property
    def actor_metadata(self) -> list[Any]:
        """What the actors' methods `get_actor_metadata` gave."""
        return [member.metadata for member in self.actors]
