"""cloudpickle, under the name at which programs written for Ray look for it."""

from cloudpickle import *  # noqa: F403
from cloudpickle import Pickler as Pickler
from cloudpickle import dump as dump
from cloudpickle import dumps as dumps
from cloudpickle import load as load
from cloudpickle import loads as loads
from cloudpickle import register_pickle_by_value as register_pickle_by_value
from cloudpickle import unregister_pickle_by_value as unregister_pickle_by_value

from . import _pickler

if _pickler.is_strict():
    from ._pickler import StrictPickler as CloudPickler
    from ._pickler import dump_strictly as dump  # noqa: F401
    from ._pickler import dumps_strictly as dumps  # noqa: F401

    Pickler = CloudPickler

del _pickler
