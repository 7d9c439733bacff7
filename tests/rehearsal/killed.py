"""One command on a project of the stage, in a process of its own, in which somebody is killed at one of its steps.

    python killed.py FOLDER up|promote|rollback DEPLOYMENT WORD tool|engine|provider STEP

The release is the one that stage.py makes of WORD. It prints how many steps there were: a step is a resource that
begins or ends to be changed. With STEP 0, or one beyond the last, nobody is killed.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import psutil
from stage import ENVIRONMENT, SOURCE, Stage

from bentoship.deployment import ReleaseRef
from bentoship.errors import BentoshipError
from bentoship.operations.promote import promote
from bentoship.operations.rollback import rollback

VICTIMS = ("tool", "engine", "provider")
UNCHANGED = ("same", "refresh", "read")


class Killer:
    """Watches the engine, and kills once."""

    def __init__(self, victim: str, step: int) -> None:
        self._victim, self._step = victim, step
        self.seen = 0

    def watch(self, event) -> None:
        if event.step is None or event.step.is_stack or event.step.operation in UNCHANGED:
            return
        self.seen += 1
        if self.seen == self._step:
            for process in self._victims():
                process.send_signal(signal.SIGKILL)

    def _victims(self) -> list[psutil.Process]:
        me = psutil.Process()
        if self._victim == "tool":
            return [me]
        below = me.children(recursive=True)
        if self._victim == "engine":
            return [each for each in below if each.name() == "pulumi"]
        words = {"bentoship.provider", "bentoship.rehearsal"}
        return [each for each in below if words & set(each.cmdline())]


def act(stage: Stage, verb: str, name: str, ref: ReleaseRef, killer: Killer) -> None:
    def watch(_, event):
        killer.watch(event)

    if verb == "up":
        stage.deploy(name, ref, watch=killer.watch)
        return
    verbs = {
        "promote": lambda: promote(stage.project, SOURCE, ENVIRONMENT, only=name, watch=watch),
        "rollback": lambda: rollback(stage.project, ENVIRONMENT, ref.id, only=name, watch=watch),
    }
    for done in verbs[verb]().values():
        if isinstance(done, BentoshipError):
            raise done


def main() -> None:
    folder, verb, name, word, victim, step = sys.argv[1:]
    stage, killer = Stage.at(Path(folder)), Killer(victim, int(step))
    try:
        act(stage, verb, name, stage.release(word), killer)
    except BentoshipError as error:
        sys.exit(str(error))
    finally:
        print(killer.seen, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
