"""A fast clock: what takes minutes in a cloud takes seconds here, in the same order."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field

from ..errors import InvalidConfiguration
from ..patience import CLOCK as VARIABLE

__all__ = ("DEFAULT_SCALE", "VARIABLE", "Clock")
DEFAULT_SCALE = 0.01
"""A second here for a hundred seconds in the cloud."""


@dataclass
class Clock:
    """Waits as long as a real cloud would, times `scale`."""

    scale: float = DEFAULT_SCALE
    _cancelled: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def from_environment(cls) -> Clock:
        """The clock that the environment variable asks for; InvalidConfiguration when that is no number from 0 on."""
        said = os.environ.get(VARIABLE, str(DEFAULT_SCALE))
        try:
            scale = float(said)
        except ValueError:
            scale = -1.0
        if not 0 <= scale < float("inf"):
            raise InvalidConfiguration(VARIABLE, f"{said!r} is not a number from 0 on", "0 waits for nothing")
        return cls(scale)

    def wait(self, seconds: float) -> bool:
        """Wait for what takes `seconds` in the cloud; False when the wait was cancelled."""
        return not self._cancelled.wait(seconds * self.scale)

    def cancel(self) -> None:
        """End every wait, now and from now on."""
        self._cancelled.set()
