"""HTTPS under a domain, or plain HTTP because somebody asked for it: what several targets are told alike."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

DomainName = Annotated[
    str | None,
    Field(
        pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$",
        description="name to serve HTTPS under, such as `salary.example.com`; its certificate, its DNS records and a "
        "load balancer, which alone can use such a certificate, are made",
    ),
]
PlainHttp = Annotated[bool, Field(description="`true` asks for plain HTTP; say either this or `domain`")]


def url(domain: str, host: str) -> str:
    """Where a service answers under `domain`, whose load balancer is at `host`.

    The hosts of a rehearsal are addresses of this machine, with a port, to which the name doesn't lead.
    """
    return f"http://{host}" if host.startswith("127.0.0.1:") else f"https://{domain}"


def refuse_neither_or_both(domain: str | None, http: bool) -> None:  # noqa: FBT001 - it is the field's own name
    """ValueError unless it is said whether requests are encrypted."""
    if (domain is None) is not http:
        raise ValueError("needs either `domain`, for HTTPS, or `http: true`, for plain HTTP, and not both")
