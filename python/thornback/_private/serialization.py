"""The place where older libraries register serializers."""

from __future__ import annotations

from .. import _serializers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class SerializationContext:
    """Registers serializers; all objects of this class are the same."""

    def _register_cloudpickle_serializer(
        self, cls: type, custom_serializer: Callable[[Any], Any], custom_deserializer: Any
    ) -> None:
        _serializers.register(cls, custom_serializer, custom_deserializer)

    def _unregister_cloudpickle_reducer(self, cls: type) -> None:
        _serializers.deregister(cls)
