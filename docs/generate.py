"""Write the generated pages: docs/targets.md, docs/reference.md and docs/environment.schema.json.

`make docs` runs it; tests/test_docs.py says when a page is stale.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bentoship import targets
from bentoship.cli.commands import bentoship
from bentoship.deployment import Scale, Target
from bentoship.environments import EnvironmentFile, Shared
from bentoship.release.limits import PLATFORMS

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

HERE = Path(__file__).parent
WRITTEN = "<!-- Written by docs/generate.py; `make docs` writes it again. -->\n\n"

LEVELS = (
    ("declared", "what the target declares for given inputs is kept as reviewed JSON, and compared"),
    ("engine", "the real Pulumi engine ran the program, over the real place or over a double of it"),
    ("served", "the sealed release ran the way the place runs it, and answered"),
    ("machine", "on a real virtual machine"),
    ("cloud", "on a real account of the cloud"),
)
PROVED: dict[str, dict[str, str]] = {
    "local": {
        "declared": "-",
        "engine": "yes: `tests/operations/test_up.py`",
        "served": "yes: `tests/operations/test_up.py`, `tests/test_docs.py`",
        "machine": "-",
        "cloud": "-",
    },
    "aws/elastic_beanstalk": {
        "declared": "yes: `tests/golden/aws/`",
        "engine": "over a double: `tests/targets/test_with_the_engine.py`, `tests/rehearsal/test_play.py`",
        "served": "by its Procfile: `tests/rehearsal/test_play.py`; under a domain, without TLS: "
        "`tests/rehearsal/test_domains.py`",
        "machine": "not yet",
        "cloud": "not yet; `tests/end_to_end/test_aws.py` would",
    },
    "aws/ec2": {
        "declared": "yes: `tests/golden/aws/`",
        "engine": "over a double: `tests/targets/test_with_the_engine.py`, `tests/rehearsal/test_play.py`",
        "served": "by its user data: `tests/rehearsal/test_play.py`; under a domain, without TLS: "
        "`tests/rehearsal/test_domains.py`",
        "machine": "not yet",
        "cloud": "not yet; `tests/end_to_end/test_aws.py` would",
    },
    "azure/web_app": {
        "declared": "yes: `tests/golden/azure/`",
        "engine": "in rehearsals: `tests/rehearsal/test_play.py`",
        "served": "in rehearsals: `tests/rehearsal/test_play.py`; its start command: `tests/boot/test_boot_web_app.py`",
        "machine": "-",
        "cloud": "not yet",
    },
    "azure/virtual_machine": {
        "declared": "yes: `tests/golden/azure/`",
        "engine": "in rehearsals: `tests/rehearsal/test_play.py`",
        "served": "in rehearsals: `tests/rehearsal/test_play.py`",
        "machine": "not yet",
        "cloud": "not yet",
    },
    "gcp/app_engine": {
        "declared": "yes: `tests/golden/gcp/`",
        "engine": "standard, in rehearsals: `tests/rehearsal/test_play.py`; flexible, its inputs: "
        "`tests/targets/test_with_the_engine.py`",
        "served": "standard, in rehearsals: `tests/rehearsal/test_play.py`",
        "machine": "-",
        "cloud": "not yet",
    },
    "gcp/compute_engine": {
        "declared": "yes: `tests/golden/gcp/`",
        "engine": "in rehearsals: `tests/rehearsal/test_play.py`",
        "served": "in rehearsals: `tests/rehearsal/test_play.py`; under a domain, without TLS: "
        "`tests/rehearsal/test_domains.py`",
        "machine": "not yet",
        "cloud": "not yet",
    },
}
"""What has been run. Nothing is written here that a test doesn't run."""


CANARIES = (
    ("counted", "our router divides the requests, and counts each answer of both releases"),
    ("asked", "the platform divides as we say; `up` asks the first golden example, and sorts the answers by release"),
    ("platform", "the platform divides, watches, and goes on or back, all in one update; `--for` says nothing to it"),
    ("never", "refused, with the reason"),
)


def pages() -> dict[str, str]:
    """The text of every generated page, by its name under docs/."""
    return {
        "targets.md": WRITTEN + _targets(),
        "reference.md": WRITTEN + _reference(),
        "environment.schema.json": _schema(),
    }


def _targets() -> str:
    parts = [
        "# Targets",
        "Where deployments can go, and what each place must be told.",
        "## What has been proved",
        "Only what was run is called working.",
        "\n".join(f"- **{level}**: {meaning}" for level, meaning in LEVELS),
        _table(("target", *(level for level, _ in LEVELS)), [_proof(name) for name in PLATFORMS]),
        "## Canaries",
        "Whether `up --canary` can divide the traffic, and who watches; [releases.md](releases.md) says how it judges.",
        "\n".join(f"- **{how}**: {meaning}" for how, meaning in CANARIES),
        _table(
            ("target", "canary", "by what means, or why not", "proved"), [_canary(name) for name in targets.names()]
        ),
        *(_target(name, targets.find(name)) for name in targets.names()),
    ]
    return "\n\n".join(parts) + "\n"


def _canary(name: str) -> tuple[str, ...]:
    splitting = targets.find(name).splitting
    known = {"counted": "yes: `tests/operations/test_canary.py`", "never": "-"}
    proved = known.get(splitting.how) or "in rehearsals: `tests/rehearsal/test_play.py`"
    return (f"`{name}`", splitting.how, splitting.reason, proved)


def _proof(name: str) -> tuple[str, ...]:
    known = PROVED.get(name)
    if known is None:
        return (f"`{name}`", "not built yet", *[""] * (len(LEVELS) - 1))
    return (f"`{name}`", *(known[level] for level, _ in LEVELS))


def _target(name: str, kind: type[Target]) -> str:
    rows = [
        (f"`{key}`", field.description or "", "**required**" if field.is_required() else _default(field))
        for key, field in kind.model_fields.items()
    ]
    stays = f"\n\n`destroy` leaves {'; '.join(kind.stays)}." if kind.stays else ""
    return f"## `{name}`\n\n{_paragraphs(kind.__doc__ or '')}{stays}\n\n{_table(('key', 'meaning', 'default'), rows)}"


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value in ((), {}):
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _reference() -> str:
    context = click.Context(bentoship, info_name="bentoship", **bentoship.context_settings)
    parts = ["# Reference", "Every command and option, as `--help` prints them.", *_commands(bentoship, context)]
    return "\n\n".join(parts) + "\n"


def _commands(command: click.Command, context: click.Context) -> list[str]:
    found = [f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```"]
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            child = command.commands[name]
            found += _commands(child, click.Context(child, info_name=name, parent=context))
    return found


def _schema() -> str:
    schema = EnvironmentFile.model_json_schema()
    shared = {**Shared.model_json_schema()["properties"], "scale": {"$ref": "#/$defs/Scale"}}
    schema.setdefault("$defs", {})["Scale"] = Scale.model_json_schema()
    variants = [_variant(name, targets.find(name), shared) for name in targets.names()]
    schema["properties"]["deployments"] = {
        "description": "where the service runs, by name",
        "type": "object",
        "additionalProperties": {"oneOf": variants},
    }
    schema["title"] = "An environment of Bentoship"
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def _variant(name: str, kind: type[Target], shared: dict[str, object]) -> dict[str, object]:
    own = kind.model_json_schema()
    return {
        "type": "object",
        "properties": {"target": {"const": name}, **own.get("properties", {}), **shared},
        "required": ["target", *own.get("required", [])],
        "additionalProperties": False,
    }


def _paragraphs(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [headings, tuple("---" for _ in headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    for name, text in pages().items():
        (HERE / name).write_text(text, encoding="utf-8")
        print(f"docs/{name}")
