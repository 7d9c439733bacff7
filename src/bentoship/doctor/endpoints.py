"""Who can reach the deployments, and ask them: this machine alone, whoever knows a token, or everybody."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from ..deployment import Deployment
from ..project import Project
from ..targets.local import Local
from . import local
from .finding import Finding

_TOKENS = frozenset({"SERVING_TOKENS", "SERVING_TOKENS_FILE"})
"""The settings by which a release asks for a token: docs/serving.md, "Access"."""
_ASK = "the variable SERVING_TOKENS asks for a token (docs/serving.md, Access)"


def check(project: Project | None) -> Iterator[Finding]:
    """What the network reaches on this machine is a warning; who may ask in a cloud is only told."""
    here = list(local.deployments(project))
    public = [(deployment, target) for deployment, target in here if not _is_private(target.host)]
    for deployment, target in public:
        yield _reachable(deployment, target)
    if here and not public:
        yield Finding("endpoints", "ok", "the local deployments listen to this machine alone")
    if spelled := [each.stack for each in local.everywhere(project) if _spells_token(each)]:
        sentence = f"tokens of {', '.join(spelled)} can be read in the environment's file"
        yield Finding("endpoints", "warning", sentence, "write their digests there (docs/serving.md, Access)")
    yield from _in_clouds([each for each in local.everywhere(project) if not isinstance(each.target, Local)])


def _reachable(deployment: Deployment, target: Local) -> Finding:
    where = f"{deployment.stack} listens on {target.host}:{target.port}"
    private = "leave `host` out to listen on 127.0.0.1, or put a proxy with TLS before it"
    if _asks_for_token(deployment):
        sentence = f"{where}: whoever has a token can ask it, without encryption, so that others can read the token"
        return Finding("endpoints", "warning", sentence, private)
    sentence = f"{where}: whoever reaches this machine can ask it, without a password and without encryption"
    return Finding("endpoints", "warning", sentence, f"{private}; {_ASK}")


def _in_clouds(deployments: Sequence[Deployment]) -> Iterator[Finding]:
    asking = [each for each in deployments if _asks_for_token(each)]
    if public := [each.stack for each in deployments if each not in asking]:
        yield Finding("endpoints", "ok", f"whoever knows the URL can ask {', '.join(public)}; {_ASK}")
    if asking:
        yield Finding("endpoints", "ok", f"whoever has a token can ask {', '.join(each.stack for each in asking)}")
    if readable := [each.stack for each in asking if each.target.model_dump().get("http")]:
        sentence = f"tokens for {', '.join(readable)} travel over plain HTTP, where others can read them"
        yield Finding("endpoints", "warning", sentence, "leave out `http`, and give the deployment a `domain`")


def _asks_for_token(deployment: Deployment) -> bool:
    secrets = deployment.target.model_dump().get("secrets") or {}
    return bool(_TOKENS & {*deployment.variables, *secrets})


def _spells_token(deployment: Deployment) -> bool:
    """Whether a variable has a token itself, and not its digest or the name of a secret in a Key Vault."""
    words = re.split(r"[,\s]+", deployment.variables.get("SERVING_TOKENS", "").strip())
    return not words[0].startswith("@") and any(word and not word.startswith("sha256:") for word in words)


def _is_private(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
