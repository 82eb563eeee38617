"""What `import thornback` costs and what it offers."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import thornback as ray

HEAVY = [
    "cloudpickle",
    "numpy",
    "pyarrow",
    "pandas",
    "inspect",
    "asyncio",
    "logging",
    "typing",
    "re",
]


def in_a_fresh_python(code: str) -> str:
    """Run code without `site`, whose .pth files import things of their own."""
    path = f"import sys; sys.path[:] = {sys.path!r}\n"
    done = subprocess.run(
        [sys.executable, "-S", "-c", path + code], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_loads_nothing_heavy() -> None:
    loaded = in_a_fresh_python(f"import thornback; print([m for m in {HEAVY} if m in sys.modules])")
    assert loaded == "[]\n"


def test_importing_does_not_load_the_library() -> None:
    code = "import thornback; print('libthornback' in open('/proc/self/maps').read())"
    assert in_a_fresh_python(code) == "False\n"


def test_decorating_loads_nothing_heavy() -> None:
    code = (
        "import thornback as ray\n"
        "@ray.remote\ndef f(x): return x\n"
        "@ray.remote\nclass A:\n    def m(self, x): return x\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    assert in_a_fresh_python(code) == "[]\n"


def test_all_names_are_there() -> None:
    for name in ray.__all__:
        assert getattr(ray, name) is not None
    assert set(ray.__all__) <= set(dir(ray))
    with pytest.raises(AttributeError, match="no_such_name"):
        ray.no_such_name  # noqa: B018


def test_late_modules() -> None:
    from thornback.actor import ActorHandle
    from thornback.exceptions import RayTaskError

    assert ray.exceptions.RayTaskError is RayTaskError
    assert ray.actor.ActorHandle is ActorHandle
    assert ray.cloudpickle.loads(ray.cloudpickle.dumps(lambda: 1))() == 1


# Names, order and kinds as in Ray 2.60.
SIGNATURES = {
    "init": (
        "address * num_cpus num_gpus resources labels object_store_memory local_mode "
        "ignore_reinit_error include_dashboard dashboard_host dashboard_port job_config "
        "configure_logging logging_level logging_format logging_config log_to_driver namespace "
        "runtime_env enable_resource_isolation cgroup_path system_reserved_cpu "
        "system_reserved_memory proxy_server_url **kwargs"
    ),
    "shutdown": "* wait_for_processes _exiting_interpreter",
    "get": "object_refs * timeout _use_object_store",
    "put": "value * _owner _tensor_transport",
    "wait": "ray_waitables * num_returns timeout fetch_local",
    "kill": "actor * no_restart",
    "get_actor": "name namespace",
    "method": "*args **options",
    "remote": "*args **options",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures(name: str) -> None:
    words: list[str] = []
    for parameter in inspect.signature(getattr(ray, name)).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in words:
            words.append("*")
        prefix = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}
        words.append(prefix.get(parameter.kind, "") + parameter.name)
    assert " ".join(words) == SIGNATURES[name]
