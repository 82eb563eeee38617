"""Graphs of calls, built by ``.bind()`` and run by ``.execute()``; names as in Ray's `ray.dag`."""

from __future__ import annotations

from .class_node import ClassMethodNode as ClassMethodNode
from .class_node import ClassNode as ClassNode
from .constants import BIND_INDEX_KEY as BIND_INDEX_KEY
from .constants import IS_CLASS_METHOD_OUTPUT_KEY as IS_CLASS_METHOD_OUTPUT_KEY
from .constants import PARENT_CLASS_NODE_KEY as PARENT_CLASS_NODE_KEY
from .constants import PREV_CLASS_METHOD_CALL_KEY as PREV_CLASS_METHOD_CALL_KEY
from .dag_node import DAGNode as DAGNode
from .function_node import FunctionNode as FunctionNode
from .input_node import DAGInputData as DAGInputData
from .input_node import InputAttributeNode as InputAttributeNode
from .input_node import InputNode as InputNode
from .output_node import MultiOutputNode as MultiOutputNode

__all__ = [
    "BIND_INDEX_KEY",
    "IS_CLASS_METHOD_OUTPUT_KEY",
    "PARENT_CLASS_NODE_KEY",
    "PREV_CLASS_METHOD_CALL_KEY",
    "ClassMethodNode",
    "ClassNode",
    "DAGInputData",
    "DAGNode",
    "FunctionNode",
    "InputAttributeNode",
    "InputNode",
    "MultiOutputNode",
]
