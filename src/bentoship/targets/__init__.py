"""Where deployments can go. A target's name is its address: `aws/ec2` is the class Ec2 in targets/aws/ec2.py.

A file under targets/ whose name starts with `_` is not a target. A project's own targets lie in its
infra/targets/ and are found the same way.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ..deployment import Target
from ..errors import InvalidConfiguration

if TYPE_CHECKING:
    from pydantic import ValidationError

HERE = Path(__file__).parent


def names(own: Path | None = None) -> list[str]:
    """The names of all targets: those that come with bentoship, and those in the folder `own`."""
    return sorted({*_names(HERE), *(_names(own) if own else ())})


def find(name: str, own: Path | None = None) -> type[Target]:
    """The target called `name`; InvalidConfiguration that names the nearest one when there is none."""
    if name not in names(own):
        close = get_close_matches(name, names(own), n=1)
        remedy = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names(own))}"
        raise InvalidConfiguration("target", f"there is no target {name!r}", remedy)
    module = _load(name, own)
    wanted = name.rpartition("/")[2].title().replace("_", "")
    found = getattr(module, wanted, None)
    if not (isinstance(found, type) and issubclass(found, Target)):
        remedy = "a file under targets/ that is no target has a name that starts with _"
        raise InvalidConfiguration("target", f"{module.__file__} has no class {wanted} that is a Target", remedy)
    return found


def misfits(error: ValidationError) -> str:
    """The names of the fields that a target does not take as it was given them."""
    return ", ".join(dict.fromkeys(str(fault["loc"][0]) for fault in error.errors() if fault["loc"]))


def _names(folder: Path) -> list[str]:
    files = [file for file in folder.glob("**/*.py") if not file.name.startswith("_")]
    return [file.relative_to(folder).with_suffix("").as_posix() for file in files]


def _load(name: str, own: Path | None) -> ModuleType:
    if own and (own / f"{name}.py").is_file():
        return _load_file(own / f"{name}.py", f"bentoship_own_targets.{name.replace('/', '.')}")
    return importlib.import_module(f"{__name__}.{name.replace('/', '.')}")


def _load_file(path: Path, module_name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(module_name, path)
    if specification is None or specification.loader is None:
        raise InvalidConfiguration(str(path), "is not a Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[module_name] = module
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise InvalidConfiguration("target", f"{path} can't be loaded ({reason})", "correct the file") from error
    return module
