"""Rehearsed machines share the bytecode of a release, wherever each of them has unpacked it."""

from __future__ import annotations

import asyncio
import os
import sys

from stage import until

from bentoship.host.state import Wanted
from bentoship.rehearsal.hosts.machine import Machine
from bentoship.rehearsal.metadata import Ec2Machine

SAYS_WHERE = "import os, own; print('inode', os.stat(own.__cached__).st_ino, flush=True)"


async def inode(folder, name: str) -> str:
    """What a machine says of the bytecode of the module on its disk, which all machines have."""
    machine = Machine(name, folder / name, folder / "bytecode", "http://127.0.0.1:9", Ec2Machine(), lambda: None)
    module = machine.disk / "release" / "own.py"
    module.parent.mkdir()
    module.write_text("ANSWER = 42\n")
    os.utime(module, (315532800, 315532800))
    await machine.run(Wanted(str(module.parent), {}, command=(sys.executable, "-c", SAYS_WHERE)))
    await asyncio.to_thread(until, lambda: any(line.startswith("inode") for line in machine.console))
    said = next(line for line in machine.console if line.startswith("inode"))
    await machine.stop()
    return said


def test_the_second_machine_finds_what_the_first_has_compiled(tmp_path):
    async def two():
        return await inode(tmp_path, "one"), await inode(tmp_path, "other")

    first, second = asyncio.run(two())
    assert first == second
    assert [path.name for path in (tmp_path / "bytecode").glob(str(tmp_path)[1:] + "/*")] == []
