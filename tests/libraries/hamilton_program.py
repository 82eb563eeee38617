"""Hamilton's graph adapter and its task executor for Ray."""

from __future__ import annotations

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import flow_functions
import ray
from hamilton import base, driver
from hamilton.plugins import h_ray


def main() -> None:
    ray.init(num_cpus=2)
    wanted, inputs = ["total", "mean"], {"numbers": [1, 2, 3]}
    adapter = h_ray.RayGraphAdapter(result_builder=base.DictResult())
    flow = driver.Builder().with_modules(flow_functions).with_adapters(adapter).build()
    assert flow.execute(wanted, inputs=inputs) == {"total": 12, "mean": 4.0}
    executor = h_ray.RayTaskExecutor(num_cpus=2, skip_init=True)
    dynamic = (
        driver.Builder()
        .enable_dynamic_execution(allow_experimental_mode=True)
        .with_modules(flow_functions)
        .with_remote_executor(executor)
        .build()
    )
    assert dynamic.execute(wanted, inputs=inputs) == {"total": 12, "mean": 4.0}
    print("passed on", ray.__name__)


main()
