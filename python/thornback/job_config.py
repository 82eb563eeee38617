"""What a job asks for, given to `init` as `job_config`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

# What submits a job sets it for the job's driver.
_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"


class JobConfig:
    """Settings of a job.

    Parameters
    ----------
    jvm_options, code_search_path : list of str, optional
        For other languages; without effect.
    runtime_env : dict, optional
    metadata : dict of str to str, optional
    ray_namespace : str, optional
        The job's namespace.
    default_actor_lifetime : str
        "non_detached" or "detached".

    Raises
    ------
    TypeError
        `code_search_path` is no list.
    ValueError
        The lifetime is unknown.
    """

    def __init__(
        self,
        jvm_options: list[str] | None = None,
        code_search_path: Sequence[str] | None = None,
        runtime_env: dict[str, Any] | None = None,
        _client_job: bool = False,
        metadata: dict[str, str] | None = None,
        ray_namespace: str | None = None,
        default_actor_lifetime: str = "non_detached",
        _disable_job_level_lineage_reconstruction: bool = False,
        _py_driver_sys_path: list[str] | None = None,
    ) -> None:
        self.jvm_options = jvm_options or []
        self.code_search_path = code_search_path or []
        if not isinstance(self.code_search_path, (list, tuple)):
            raise TypeError(f"The type of code search path is incorrect: {type(code_search_path)}")
        self._client_job = _client_job
        self._disable_job_level_lineage_reconstruction = _disable_job_level_lineage_reconstruction
        self._py_driver_sys_path = _py_driver_sys_path or []
        self.metadata = dict(metadata or {})
        self.ray_namespace = ray_namespace
        self.runtime_env = runtime_env or {}
        self.set_default_actor_lifetime(default_actor_lifetime)

    def set_metadata(self, key: str, value: str) -> None:
        """Set one entry of the metadata."""
        self.metadata[key] = value

    def set_ray_namespace(self, ray_namespace: str) -> None:
        """Set the job's namespace."""
        self.ray_namespace = ray_namespace

    def set_runtime_env(self, runtime_env: dict[str, Any] | None, validate: bool = False) -> None:
        """Set the runtime environment."""
        del validate
        self.runtime_env = runtime_env or {}

    def set_default_actor_lifetime(self, default_actor_lifetime: str) -> None:
        """Set the lifetime of actors that name none.

        Raises
        ------
        ValueError
            It is unknown.
        """
        if default_actor_lifetime not in ("detached", "non_detached"):
            raise ValueError("Default actor lifetime must be one of `detached`, `non_detached`")
        self._default_actor_lifetime = default_actor_lifetime

    @property
    def default_actor_lifetime(self) -> str | None:
        """The lifetime of actors that name none; None where that is the usual one."""
        return "detached" if self._default_actor_lifetime == "detached" else None

    @classmethod
    def from_json(cls, job_config_json: Mapping[str, Any]) -> JobConfig:
        """Return the settings that a JSON object holds; what it leaves out has its default."""
        names = ("jvm_options", "code_search_path", "runtime_env", "metadata", "ray_namespace")
        given: dict[str, Any] = {name: job_config_json.get(name) for name in names}
        lifetime = job_config_json.get("default_actor_lifetime") or "non_detached"
        return cls(**given, default_actor_lifetime=lifetime)


def in_force(given: JobConfig | Mapping[str, Any] | None) -> JobConfig:
    """Return the job's settings: those given to `init`, else those of the environment.

    Raises
    ------
    ValueError
        RAY_JOB_CONFIG_JSON_ENV_VAR holds no JSON object.
    """
    import os

    if isinstance(given, JobConfig):
        return given
    if given is not None:
        return JobConfig.from_json(given)
    text = os.environ.get(_VARIABLE)
    if not text:
        return JobConfig()
    import json

    settings = json.loads(text)
    if not isinstance(settings, dict):
        raise ValueError(f"{_VARIABLE} must hold a JSON object, got {text!r}")
    return JobConfig.from_json(settings)
