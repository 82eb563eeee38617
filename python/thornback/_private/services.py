"""What libraries ask about the machine."""

from __future__ import annotations

from ..util._node import get_node_instance_id as get_node_instance_id
from ..util._node import get_node_ip_address as get_node_ip_address
