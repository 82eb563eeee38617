"""Ray Data, which is not available in this release: a name that libraries import beforehand."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


def from_pandas_refs(dfs: Any, *args: Any, **kwargs: Any) -> NoReturn:
    """Make a dataset of references to pandas tables; not available in this release.

    Raises
    ------
    NotImplementedError
    """
    del dfs, args, kwargs
    raise NotImplementedError("Ray Data is not available in this release")
