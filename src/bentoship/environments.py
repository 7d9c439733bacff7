"""environments/<name>.yaml -> Environment: the only place that reads configuration; its errors end here, at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from . import targets
from .deployment import READY_TIMEOUT, Configuration, Deployment, Environment, Frozen, Hooks, Scale, Target
from .durations import seconds
from .errors import InvalidConfiguration, Problem
from .project import Project

ENVIRONMENT_NAME = re.compile(r"[a-z][a-z0-9]*")
DEPLOYMENT_NAME = re.compile(r"[a-z][a-z0-9-]*[a-z0-9]|[a-z]")
HOOKS = ("before_up", "after_up", "on_failure")
COMMON = ("scale", "variables", "ready_timeout", "protect", "ttl", *HOOKS)
"""Keys that an environment says for all its deployments, and that a deployment may say for itself."""

DURATION = r"^\d+[smhd]$"
"""A duration as `durations.seconds` reads it."""

RESERVED = ("PORT", "BENTOSHIP_", "PYTHON", "GAE_")
"""What variables of a service may not be called, or begin with: hosts and run.sh set these."""

Model = TypeVar("Model", bound=BaseModel)


def _variable_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(f"{name!r} can't be the name of a variable: letters, digits and underscores")
    if name == RESERVED[0] or name.startswith(RESERVED[1:]):
        raise ValueError(f"{name} is set by the host")
    return name


def _duration(text: str) -> str:
    try:
        seconds("", text)
    except InvalidConfiguration as error:
        raise ValueError(error.problems[0].fault) from None
    return text


Duration = Annotated[str, Field(pattern=DURATION), AfterValidator(_duration)]
VariableName = Annotated[str, AfterValidator(_variable_name)]


class Shared(Frozen):
    """What may stand beside `scale` in an environment and in each of its deployments."""

    variables: dict[VariableName, str] = Field(
        default_factory=dict, description="environment variables of the service; no secrets, and none of ours"
    )
    ready_timeout: float = Field(
        default=READY_TIMEOUT, gt=0, le=86_400, description="seconds until /readyz must answer 200"
    )
    protect: bool = Field(default=False, description="`true` has `destroy` refuse to remove it")
    ttl: Duration | None = Field(
        default=None,
        description="`destroy --expired` removes it so long after a release last went live there: 90m, 8h, 2d",
    )
    before_up: str | None = Field(
        default=None, min_length=1, description="command of the shell before `up`; when it fails, nothing is touched"
    )
    after_up: str | None = Field(
        default=None, min_length=1, description="command of the shell once the release is live; undoes nothing"
    )
    on_failure: str | None = Field(
        default=None, min_length=1, description="command of the shell when a release did not go live"
    )


class EnvironmentFile(Shared):
    """The keys of an environment file."""

    scale: Scale = Field(default_factory=Scale, description="what every deployment inherits")
    secrets_provider: str = Field(default="passphrase", description="any of Pulumi's secrets providers")
    soak: Duration | None = Field(
        default=None,
        description="how long a release must have been live elsewhere before it is promoted to here: 90s, 5m, 2h, 1d",
    )
    deployments: dict[str, dict[str, Any]] = Field(description="where the service runs, by name")


@dataclass(frozen=True)
class Setting:
    """One value of the merged configuration, and what said it."""

    path: str
    value: Any
    source: str
    """A file and a key in it, or `default`."""


@dataclass
class _Reader:
    """One environment file, and the problems found in it so far."""

    path: Path
    project: Project
    raw: dict[str, Any]
    problems: list[Problem] = field(default_factory=list)

    def complain(self, key: str, fault: str, remedy: str = "") -> None:
        self.problems.append(Problem(f"{self.where}: {key}" if key else self.where, fault, remedy))

    @property
    def where(self) -> str:
        return self.path.relative_to(self.project.root).as_posix()

    def parse(self, model: type[Model], data: Any, key: str, sources: Mapping[str, str] | None = None) -> Model | None:
        """`data` as a `model`; on failure None, with a problem for each fault at the key that `sources` gives."""
        try:
            return model.model_validate(data)
        except ValidationError as error:
            for fault in error.errors():
                first = str(fault["loc"][0]) if fault["loc"] else ""
                prefix = (sources or {}).get(first, key)
                self._explain(model, fault, prefix)
        return None

    def _explain(self, model: type[BaseModel], fault: Any, prefix: str) -> None:
        key = ".".join([part for part in (prefix, *map(str, fault["loc"])) if part])
        if fault["type"] == "extra_forbidden":
            self.complain(key, "unknown key", _nearest(str(fault["loc"][-1]), model.model_fields))
        elif fault["type"] == "missing":
            self.complain(key, "is missing", f"add it: {_describe(model, str(fault['loc'][-1]))}")
        else:
            message = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
            if fault["type"] == "value_error":
                self.complain(key.removesuffix(".[key]"), message, _way_out(key))
            else:
                meaning = _describe(model, str(fault["loc"][0]))
                self.complain(key, f"{message}, and is {fault['input']!r}", f"it says: {meaning}")


def names(project: Project) -> list[str]:
    """The names of the project's environments."""
    return sorted(file.stem for file in project.environments.glob("*.yaml"))


def load(project: Project, name: str) -> Environment:
    """The environment called `name`; InvalidConfiguration with every problem that its file has."""
    reader = _open(project, name)
    raw_deployments = reader.raw.get("deployments")
    wanted = raw_deployments if isinstance(raw_deployments, dict) else {}
    # What the deployments inherit is checked where they inherit it, so that each fault is told once.
    inherited: dict[str, Any] = {
        key: {} for key in ("scale", "deployments") if wanted and isinstance(reader.raw.get(key), dict)
    }
    whole = reader.parse(EnvironmentFile, {**reader.raw, **inherited}, "")
    found = [_deployment(reader, name, str(key), raw) for key, raw in wanted.items()]
    if "deployments" in reader.raw and not wanted and isinstance(raw_deployments, dict):
        reader.complain("deployments", "is empty", "add one, such as `local: {target: local}`")
    if reader.problems or whole is None:
        raise InvalidConfiguration.of(dict.fromkeys(reader.problems))
    soak = seconds("soak", whole.soak) if whole.soak else 0
    return Environment(name, tuple(each for each in found if each), whole.secrets_provider, soak)


def deployment_of_stack(project: Project, stack: str) -> Deployment:
    """The deployment that the stack `<environment>-<deployment>` is of."""
    environment, _, name = stack.partition("-")
    for deployment in load(project, environment).deployments:
        if deployment.name == name:
            return deployment
    raise InvalidConfiguration(
        f"environments/{environment}.yaml", f"has no deployment {name!r}, which stack {stack} is named after"
    )


def restore(project: Project, stack: str, configuration: Configuration) -> Deployment:
    """The deployment of a stack as it was configured once, whatever the environment's file says now."""
    environment, _, name = stack.partition("-")
    try:
        target = targets.find(configuration.target, project.own_targets).model_validate(configuration.fields)
    except ValidationError as error:
        fault = (
            f"was deployed with fields that {configuration.target} does not have so any more: {targets.misfits(error)}"
        )
        raise InvalidConfiguration(stack, fault, f"put them back, or `bentoship up {environment}` first") from None
    return Deployment(
        environment,
        name,
        configuration.target,
        target,
        configuration.scale,
        configuration.variables,
        configuration.ready_timeout,
    )


def settings(project: Project, name: str) -> list[Setting]:
    """Every value of the merged configuration of an environment, and which file and key said it."""
    environment, reader = load(project, name), _open(project, name)
    return [setting for deployment in environment.deployments for setting in _settings(reader, deployment)]


def _open(project: Project, name: str) -> _Reader:
    path = project.environments / f"{name}.yaml"
    if not path.is_file():
        known = names(project)
        remedy = _nearest(name, known) if known else f"write {path.name} in {project.environments}"
        raise InvalidConfiguration("environments", f"there is no environment {name!r}", remedy)
    if not ENVIRONMENT_NAME.fullmatch(name):
        raise InvalidConfiguration(
            f"environments/{name}.yaml",
            "an environment's name is lowercase letters and digits, a letter first",
            "rename the file: a stack is called <environment>-<deployment>",
        )
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)  # noqa: S506 - a safe loader that is stricter
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError) as error:
        # PyYAML lets through what looks like a date or a truth value, and is none.
        raise InvalidConfiguration(f"environments/{name}.yaml", f"is not YAML ({_one_line(error)})") from None
    if not isinstance(raw, dict):
        raise InvalidConfiguration(
            f"environments/{name}.yaml",
            "is not a mapping",
            "it starts with `deployments:`; docs/environments.md has one",
        )
    return _Reader(path, project, raw)


def _deployment(reader: _Reader, environment: str, name: str, raw: Any) -> Deployment | None:
    key = f"deployments.{name}"
    if not DEPLOYMENT_NAME.fullmatch(name):
        reader.complain(
            key, "a deployment's name is lowercase letters, digits and hyphens inside, a letter first", "rename it"
        )
    if not isinstance(raw, dict):
        reader.complain(key, "is not a mapping", "write for example `{target: local}`")
        return None
    own = dict(raw)
    target_name = own.pop("target", None)
    scale = _merged_scale(reader, key, own.pop("scale", {}))
    shared = _merged_shared(reader, key, {name: own.pop(name) for name in COMMON if name in own})
    target = _target(reader, key, target_name, own)
    if scale is None or shared is None or target is None:
        return None
    return Deployment(
        environment,
        name,
        str(target_name),
        target,
        scale,
        shared.variables,
        shared.ready_timeout,
        shared.protect,
        seconds("ttl", shared.ttl) if shared.ttl else None,
        Hooks(shared.before_up, shared.after_up, shared.on_failure),
    )


def _merged_scale(reader: _Reader, key: str, own: Any) -> Scale | None:
    common = reader.raw.get("scale") or {}
    if not isinstance(own, dict):
        reader.complain(f"{key}.scale", "is not a mapping", "write for example `{min_replicas: 2}`")
        return None
    if not isinstance(common, dict):
        return None  # told when the file was parsed as a whole
    sources = {**dict.fromkeys(common, "scale"), **dict.fromkeys(own, f"{key}.scale")}
    return reader.parse(Scale, {**common, **own}, f"{key}.scale" if own else "scale", sources)


def _merged_shared(reader: _Reader, key: str, own: dict[str, Any]) -> Shared | None:
    common = {name: reader.raw[name] for name in Shared.model_fields if name in reader.raw}
    merged = {**common, **own}
    if isinstance(common.get("variables"), dict) and isinstance(own.get("variables"), dict):
        merged["variables"] = {**common["variables"], **own["variables"]}
    return reader.parse(Shared, merged, "", dict.fromkeys(own, key))


def _target(reader: _Reader, key: str, name: Any, fields: dict[str, Any]) -> Target | None:
    own = reader.project.own_targets
    if not isinstance(name, str):
        reader.complain(f"{key}.target", "is missing", f"there are: {', '.join(targets.names(own))}")
        return None
    try:
        kind = targets.find(name, own)
    except InvalidConfiguration as error:
        reader.complain(f"{key}.target", error.problems[0].fault, error.problems[0].remedy)
        return None
    # A shared key that is misspelt lands among the target's own fields: both are offered as the right word.
    return _parse_target(reader, kind, fields, key)


def _parse_target(reader: _Reader, kind: type[Target], fields: dict[str, Any], key: str) -> Target | None:
    known = [*kind.model_fields, "target", *COMMON]
    for name in [name for name in fields if name not in kind.model_fields]:
        reader.complain(f"{key}.{name}", "unknown key", _nearest(str(name), known))
    return reader.parse(kind, {name: value for name, value in fields.items() if name in kind.model_fields}, key)


def _settings(reader: _Reader, deployment: Deployment) -> Iterable[Setting]:
    raw = reader.raw["deployments"][deployment.name]
    groups = (("", deployment.target.model_dump()), ("scale.", deployment.scale.model_dump()))
    common: dict[str, Any] = {f"variables.{key}": value for key, value in deployment.variables.items()}
    common |= {name: getattr(deployment, name) for name in ("ready_timeout", "protect", "ttl")}
    common |= vars(deployment.hooks)
    flat: dict[str, Any] = {"target": deployment.target_name}
    flat |= {f"{prefix}{key}": value for prefix, values in groups for key, value in values.items()}
    for path, value in (flat | common).items():
        yield Setting(f"{deployment.name}.{path}", value, _source(reader, deployment.name, raw, path))


def _source(reader: _Reader, name: str, raw: dict[str, Any], path: str) -> str:
    first, _, second = path.partition(".")
    for prefix, mapping in ((f"deployments.{name}.", raw), ("", reader.raw)):
        value = mapping.get(first)
        if first in mapping and (not second or (isinstance(value, dict) and second in value)):
            return f"{reader.where}: {prefix}{path}"
    return "default"


def _way_out(key: str) -> str:
    if key.endswith(".[key]"):
        return "rename it, or leave it out"
    return "leave it out where it shall never end" if key.rpartition(".")[2] == "ttl" else "change one of them"


def _nearest(word: str, known: Iterable[str]) -> str:
    words = sorted(known)
    close = get_close_matches(word, words, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(words)}"


def _describe(model: type[BaseModel], key: str) -> str:
    known = model.model_fields.get(key)
    return (known.description if known else None) or key


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


class _UniqueKeys(yaml.SafeLoader):
    """A key is the word that was written, be it `no` or `1`; one that stands twice, which YAML allows, is a mistake."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: ARG002, FBT001, FBT002
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a single word", key.start_mark)
            if key.value in seen:
                fault = f"the key {key.value!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, fault, key.start_mark)
            seen.add(key.value)
        self.flatten_mapping(node)  # `<<: *other` brings in what another mapping says
        return {key.value: self.construct_object(value, deep=True) for key, value in node.value}
