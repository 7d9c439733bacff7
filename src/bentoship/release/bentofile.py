"""What the user says to pack: `bentofile.yaml`, read for the few keys that a release needs.

All other keys are BentoML's own business. Which files `include` and `exclude` mean is decided as BentoML decides
it (docs.bentoml.com, "Bento build options"): patterns of .gitignore, and `.bentoignore` files on top.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement
from pathspec import PathSpec
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ..errors import InvalidConfiguration, Problem

NAME = "bentofile.yaml"
KEYS = (
    *("service", "name", "description", "labels", "include", "exclude", "models", "envs", "args"),
    *("python", "docker", "conda"),
)
"""What BentoML knows (docs.bentoml.com, reference/bentoml/bento-build-options)."""
_IGNORE_FILE = ".bentoignore"
_NEVER = frozenset({".git", ".venv", "venv", "__pycache__", ".bentoship"})
_NEVER_FILES = (
    *(".DS_Store", "/environments/", "/infra/Pulumi.*.yaml", "/bentofile.lock"),
    *("*.answers.jsonl", "*.jsonl.json", "*.unfinished"),
    "gha-creds-*.json",  # credentials, which google-github-actions/auth puts into the folder that is checked out
)
"""What commands write, and what says where to deploy: with it in a release, each command would make another one. The
lock is in it anyway."""
_DEFAULT_SERVICE = "service.py"
_MOST_LEVELS = 100
"""How deep values may be nested, so that neither reading nor writing them runs out of stack."""


def _patterns(lines: Sequence[str]) -> PathSpec[Any]:
    return PathSpec.from_lines("gitignore", lines)


def _checked_pattern(line: str) -> str:
    try:
        _patterns([line])
    except ValueError:
        raise ValueError("must be a pattern as in .gitignore") from None
    return line


_Pattern = Annotated[str, AfterValidator(_checked_pattern)]


class Python(BaseModel):
    """The keys of `python:` that say what to install, and from where."""

    model_config = ConfigDict(frozen=True)

    packages: tuple[str, ...] = ()
    requirements_txt: str | None = None
    index_url: str | None = None
    extra_index_url: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()


class Bentofile(BaseModel):
    """The keys of bentofile.yaml that a release needs; `content` is the whole of it, as it was written."""

    model_config = ConfigDict(frozen=True)

    service: str = ""
    include: tuple[_Pattern, ...] = ("*",)
    exclude: tuple[_Pattern, ...] = ()
    python: Python = Python()
    content: dict[str, Any] = Field(default_factory=dict, exclude=True)


@dataclass(frozen=True)
class Project:
    """A project that can be built: its bentofile, the files to pack, and the packages that it asks for."""

    folder: Path
    bentofile: Bentofile
    files: tuple[str, ...]
    """Names relative to `folder`, with forward slashes, sorted."""
    requirements: tuple[Requirement, ...]

    @property
    def index_arguments(self) -> list[str]:
        """The arguments that make uv look where `python:` says that the packages are."""
        python = self.bentofile.python
        index = ["--default-index", python.index_url] if python.index_url else []
        extra = [word for url in python.extra_index_url for word in ("--index", url)]
        links = [word for place in python.find_links for word in ("--find-links", self._place(place))]
        return [*index, *extra, *links]

    def _place(self, place: str) -> str:
        return place if "://" in place else str(self.folder / place)


def read(folder: Path, problems: list[Problem]) -> Project | None:
    """The project in `folder`; adds to `problems` all that stands against building it, None when it can't be read."""
    bentofile = _bentofile(folder, problems)
    if bentofile is None:
        return None
    requirements = tuple(_requirements(folder, bentofile.python, problems))
    walked = tuple(_walk(folder))
    described = _description(folder, bentofile, problems)
    files = tuple(sorted({*_included(folder, walked, bentofile, problems), *described}))
    problems.extend(_name_problems(files))
    problems.extend(_service_problems(folder, bentofile, files))
    problems.extend(_include_problems(folder, walked, bentofile))
    return Project(folder, bentofile, files, requirements)


def _bentofile(folder: Path, problems: list[Problem]) -> Bentofile | None:
    path = folder / NAME
    try:
        found = _parsed(yaml.load(path.read_text(encoding="utf-8"), _Loader))  # noqa: S506 -- a safe loader that tells more
        problems.extend(_unknown_keys(found))
        return found
    except FileNotFoundError:
        here = "is not here" if folder.is_dir() else "can't be read: there is no such folder"
        problems.append(Problem(str(path), here, "run this where service.py is, and write a bentofile.yaml beside it"))
    except yaml.YAMLError as error:
        problems.append(Problem(NAME, f"is not valid YAML: {_yaml_fault(error)}"))
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(NAME, f"can't be read: {error}"))
    except InvalidConfiguration as error:
        problems.extend(error.problems)
    except ValidationError as error:
        problems.extend(_pydantic_problems(error))
    return None


def _unknown_keys(bentofile: Bentofile) -> Iterator[Problem]:
    for key in bentofile.content:
        if str(key) not in KEYS:
            close = get_close_matches(str(key), KEYS, n=1)
            remedy = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(KEYS)}"
            yield Problem(f"{NAME}: {key}", "unknown key", remedy)


class _Loader(yaml.SafeLoader):
    """Tells the line of what is nested too deeply, and of what looks like a date or a number and is none."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._levels = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The node that comes next; YAMLError when it is nested too deeply."""
        if self._levels == _MOST_LEVELS:
            fault = f"is nested more than {_MOST_LEVELS} levels deep"
            raise yaml.MarkedYAMLError(problem=fault, problem_mark=self.get_mark())
        self._levels += 1
        node = super().compose_node(parent, index)
        self._levels -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 -- as in PyYAML
        """The value of `node`; YAMLError when it has none, such as 2024-13-45 or 0x_."""
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, AttributeError) as error:
            fault = f"is no value of the kind that it looks like ({error})"
            raise yaml.MarkedYAMLError(problem=fault, problem_mark=node.start_mark) from None


def _parsed(content: Any) -> Bentofile:
    if not isinstance(content, dict):
        raise InvalidConfiguration(NAME, "must be a mapping of keys to values")
    return Bentofile.model_validate({**_without_empty(content), "content": content})


def _without_empty(content: dict[str, Any]) -> dict[str, Any]:
    """`include:` with nothing after it means the same as no `include` at all, to BentoML as to us."""
    return {key: value for key, value in content.items() if value is not None}


def _yaml_fault(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return str(error)


def _pydantic_problems(error: ValidationError) -> Iterator[Problem]:
    for fault in error.errors():
        key = ".".join(map(str, fault["loc"]))
        yield Problem(f"{NAME}: {key}", f"{fault['msg'].removeprefix('Value error, ')}, not {fault['input']!r}")


def _requirements(folder: Path, python: Python, problems: list[Problem]) -> Iterator[Requirement]:
    for where, text in _requirement_lines(folder, python, problems):
        try:
            yield Requirement(text)
        except InvalidRequirement as error:
            fault = f"{text!r} is not a requirement ({str(error).splitlines()[0]})"
            problems.append(Problem(where, fault, "write a name and a version, such as scikit-learn==1.9.1"))


def _requirement_lines(folder: Path, python: Python, problems: list[Problem]) -> Iterator[tuple[str, str]]:
    if python.requirements_txt is None:
        yield from ((f"{NAME}: python.packages[{index}]", text) for index, text in enumerate(python.packages))
        return
    try:
        lines = (folder / python.requirements_txt).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        problems.append(
            Problem(f"{NAME}: python.requirements_txt", f"{python.requirements_txt} can't be read: {error}")
        )
        return
    for number, line in enumerate(lines, start=1):
        text = line.split(" #")[0].strip()
        if text and not text.startswith("#"):
            yield f"{python.requirements_txt}:{number}", text


def _walk(folder: Path) -> Iterator[str]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - _NEVER)
        # Editors leave links to nowhere; whoever reads a pipe waits for ever.
        found = (Path(root) / name for name in files)
        yield from (path.relative_to(folder).as_posix() for path in found if path.is_file())


def _included(folder: Path, walked: Sequence[str], bentofile: Bentofile, problems: list[Problem]) -> Iterator[str]:
    include, exclude = _patterns(bentofile.include), _patterns((*bentofile.exclude, *_NEVER_FILES))
    names = filter(_is_ignore_file, walked)
    ignored = [(PurePosixPath(name).parent, _ignore_file(folder, name, problems)) for name in names]
    for path in walked:
        if include.match_file(path) and not exclude.match_file(path):
            inside = ((parent, spec) for parent, spec in ignored if PurePosixPath(path).is_relative_to(parent))
            if not any(spec.match_file(PurePosixPath(path).relative_to(parent)) for parent, spec in inside):
                yield path


def _description(folder: Path, bentofile: Bentofile, problems: list[Problem]) -> Iterator[str]:
    """The file that `description` names, if it names one; BentoML puts its text into the Bento."""
    description = str(bentofile.content.get("description") or "")
    if not description.startswith("file:"):
        return
    name = description.removeprefix("file:").strip()
    path = (folder / name).resolve()
    if path.is_file() and path.is_relative_to(folder.resolve()):
        yield path.relative_to(folder.resolve()).as_posix()
    else:
        problems.append(Problem(f"{NAME}: description", f"{name!r} is no file of this project", "correct the path"))


def _name_problems(files: Sequence[str]) -> Iterator[Problem]:
    for name in files:
        told = name.encode("utf-8", "backslashreplace").decode()
        if "\\" in name or told != name:
            yield Problem(told, "has a name that a release can't hold", "rename it, or exclude it")


def _is_ignore_file(path: str) -> bool:
    return PurePosixPath(path).name == _IGNORE_FILE


def _ignore_file(folder: Path, name: str, problems: list[Problem]) -> PathSpec[Any]:
    try:
        return _patterns((folder / name).read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError) as error:
        problems.append(Problem(name, f"can't be read: {error}", "write patterns as in .gitignore"))
        return _patterns([])


def _service_problems(folder: Path, bentofile: Bentofile, files: Sequence[str]) -> Iterator[Problem]:
    module = bentofile.service.partition(":")[0] or _DEFAULT_SERVICE
    candidates = tuple(_module_files(module))
    found = next((name for name in candidates if (folder / name).is_file()), None)
    if found is None:
        where = f"{NAME}: service" if bentofile.service else str(folder / _DEFAULT_SERVICE)
        fault = f"{module!r} is not in this project (looked for {', '.join(candidates)})"
        yield Problem(where, fault, "name the module with your service, such as service:Salary")
    elif found not in files:
        yield Problem(f"{NAME}: include", f"leaves out {found}, which holds the service", f'add "{found}"')


def _module_files(module: str) -> Iterator[str]:
    if module.endswith(".py"):
        yield PurePosixPath(module).as_posix()
        return
    path = module.replace(".", "/")
    yield from (f"{path}.py", f"{path}/__init__.py", f"src/{path}.py", f"src/{path}/__init__.py")


def _include_problems(folder: Path, walked: Sequence[str], bentofile: Bentofile) -> Iterator[Problem]:
    for pattern in bentofile.include:
        if pattern.startswith(("!", "#")) or any(map(_patterns([pattern]).match_file, walked)):
            continue
        trainable = (folder / "models" / "train.py").is_file() and not pattern.endswith(".py")
        remedy = "train the model: `python models/train.py`" if trainable else "write the name of a file that is here"
        yield Problem(f"{NAME}: include", f"{pattern!r} matches no file", remedy)
