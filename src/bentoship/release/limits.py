"""What every platform takes, as data, and where a release can therefore go.

A release too big for one platform is still a release. Each number has the page that it comes from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

_MB = 1 << 20
_OFFENDERS = 3


@dataclass(frozen=True)
class Platform:
    """The limits of one target; None where the platform has no limit that a release could meet."""

    pages: tuple[str, ...]
    pythons: tuple[str, ...]
    files: int | None = None
    """How many files at most."""
    file_bytes: int | None = None
    """Bytes of one file at most."""
    files_in_folder: int | None = None
    """How many files directly in one folder at most."""
    zip_bytes: int | None = None
    """Bytes of the zip at most."""
    escape: str = ""
    """What the user can do on this platform all the same."""


_MACHINE_PAGES = ("wiki.debian.org/Python", "documentation.ubuntu.com/ubuntu-for-developers")
_MACHINE_IMAGES = ("3.11", "3.12", "3.13")
"""Debian 12, Ubuntu 24.04 and Debian 13: the images of every cloud that have this Python as their own."""

PLATFORMS: Mapping[str, Platform] = {
    "local": Platform(pages=(), pythons=()),
    "aws/elastic_beanstalk": Platform(
        pages=(
            "docs.aws.amazon.com/elasticbeanstalk/latest/dg/applications-sourcebundle.html",
            "docs.aws.amazon.com/elasticbeanstalk/latest/platforms/platforms-supported.html",
        ),
        pythons=("3.9", "3.11", "3.12", "3.13"),
        zip_bytes=500 * _MB,
    ),
    "aws/ec2": Platform(pages=_MACHINE_PAGES, pythons=_MACHINE_IMAGES),
    "gcp/app_engine": Platform(
        pages=("cloud.google.com/appengine/quotas", "cloud.google.com/appengine/docs/standard/python3/runtime"),
        pythons=("3.10", "3.11", "3.12", "3.13", "3.14"),
        files=10_000,
        file_bytes=32 * _MB,
        files_in_folder=1_000,
        escape="the limits of files are those of App Engine standard; `flavour: flexible` has none of them",
    ),
    "gcp/compute_engine": Platform(pages=_MACHINE_PAGES, pythons=_MACHINE_IMAGES),
    "azure/web_app": Platform(
        # The zip is fetched by the start command, so the limits of Azure's own ways to deploy a zip don't bind.
        pages=("learn.microsoft.com/azure/app-service/configure-language-python",),
        pythons=("3.10", "3.11", "3.12", "3.13", "3.14"),
    ),
    "azure/virtual_machine": Platform(pages=_MACHINE_PAGES, pythons=_MACHINE_IMAGES),
}


def fits(files: Mapping[str, int], zip_bytes: int, python: str) -> dict[str, bool | str]:
    """For every target: True, or a sentence with the number, the limit and the biggest offenders.

    `files` are the sizes in bytes by name, `python` a minor such as 3.12.
    """
    told = {name: list(_broken(platform, files, zip_bytes, python)) for name, platform in PLATFORMS.items()}
    return {name: _sentence(reasons, PLATFORMS[name]) if reasons else True for name, reasons in told.items()}


def _sentence(reasons: list[str], platform: Platform) -> str:
    return "; ".join([*reasons, platform.escape] if platform.escape else reasons)


def _broken(platform: Platform, files: Mapping[str, int], zip_bytes: int, python: str) -> Iterator[str]:
    if platform.pythons and python not in platform.pythons:
        yield f"Python {python} is not offered, only {', '.join(platform.pythons)}"
    if platform.files and len(files) > platform.files:
        most = _biggest(Counter(PurePosixPath(*PurePosixPath(name).parts[:2]).as_posix() for name in files), _count)
        yield f"{len(files):,} files, at most {platform.files:,} ({most})"
    if platform.file_bytes:
        large = {name: size for name, size in files.items() if size > platform.file_bytes}
        if large:
            yield f"{_files(len(large))} over {megabytes(platform.file_bytes)} ({_biggest(large, megabytes)})"
    if platform.files_in_folder:
        folders = Counter(PurePosixPath(name).parent.as_posix() for name in files)
        full = {name: count for name, count in folders.items() if count > platform.files_in_folder}
        if full:
            yield f"over {platform.files_in_folder:,} files in one folder ({_biggest(full, _count)})"
    if platform.zip_bytes and zip_bytes > platform.zip_bytes:
        most = _biggest(files, megabytes)
        yield f"the zip has {megabytes(zip_bytes)}, at most {megabytes(platform.zip_bytes)} ({most})"


def megabytes(size: int) -> str:
    """`size` bytes as a person reads them: megabytes of 1,048,576 bytes, as the platforms count."""
    return f"{size / _MB:,.1f} MB"


def _biggest(sizes: Mapping[str, int], spell: Callable[[int], str]) -> str:
    ordered = sorted(sizes.items(), key=lambda pair: (-pair[1], pair[0]))[:_OFFENDERS]
    return ", ".join(f"{name}: {spell(size)}" for name, size in ordered)


def _count(number: int) -> str:
    return f"{number:,}"


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number:,} files"
