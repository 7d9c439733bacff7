"""bentoship:azure:* — steps of a deployment on Azure for which Pulumi's provider has no resource.

SlotSwap        the release of a web app: proved in its slot, then swapped into production, once
PublicAddress   the machine that a fixed address leads to
RollingUpgrade  a scale set whose machines all run its newest model, and are ready

Why not Pulumi's: it has no swap (github.com/pulumi/pulumi-azure-native/issues/632), an address can't move between two
machines that are both there, and its scale set is content as soon as an upgrade has begun.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import httpx

from .. import gate
from ..deployment import Example, Frozen
from ..errors import UpdateFailed
from .arm import SYNCHRONOUS_TIMEOUT, UNHEARD, Arm, Patience, Refusal
from .kinds import Kind
from .progress import Tell
from .server import Properties

REVISION = "BENTOSHIP_REVISION"
"""The setting of a site that names the revision it runs, and moves with a swap (boot/web_app.py)."""
_WEB, _NETWORK, _COMPUTE = "2024-11-01", "2024-05-01", "2024-11-01"
"""Versions of the APIs (learn.microsoft.com/rest/api/appservice, /virtualnetwork, /compute)."""
_LOOKING = 60.0
"""Seconds that a look at what is there may take."""
_SETTLING = 5
"""Looks at a site whose swap was asked for without an answer, before it counts as never heard."""
_ALL = 100


class SlotSwapInputs(Frozen):
    """What a swap is told."""

    site: str
    """Id of the web app."""
    slot: str
    url: str
    """Where the slot itself answers."""
    release: str
    revision: str
    settings: dict[str, str]
    """All settings of the slot; one of them names the revision."""
    percent: int
    """100 makes the revision live; less sends it this part of the traffic, from the slot."""
    examples: str
    """The golden examples as a JSON array: one string, so that no number changes on its way through the engine."""
    timeout: float
    """Seconds that all of it may take."""


class SlotSwap(Kind[SlotSwapInputs]):
    """Which revision a web app gives its traffic to.

    Each step looks first whether it is done: the slot's settings, then the proof, then the swap. So it can be broken
    off anywhere and repeated, and where the revision is live already nothing is swapped: a second swap would bring
    the old one back.
    """

    inputs = SlotSwapInputs
    replace_on: ClassVar[frozenset[str]] = frozenset({"site", "slot"})
    ignore: ClassVar[frozenset[str]] = frozenset({"timeout", "url"})

    def __init__(self, tell: Tell = lambda _: None) -> None:
        self._tell = tell
        self._cancelled = threading.Event()

    def create(self, inputs: SlotSwapInputs) -> tuple[str, Properties]:
        """Make it so; UpdateFailed or GateFailed when it can't be, and then production is what it was."""
        patience = Patience(f"web app {_name(inputs.site)}", inputs.timeout, self._cancelled)
        with Arm(patience) as arm:
            site = _Site(arm, inputs.site, inputs.slot, patience)
            site.wait_until_idle()
            if inputs.percent < _ALL:
                self._try_out(site, inputs, patience)
            else:
                self._go_live(site, inputs, patience)
        return f"{inputs.site}/swap", {}

    def read(self, inputs: SlotSwapInputs, outputs: Properties) -> Properties | None:
        """The revision that is live, or that is tried out, and its part of the traffic; None when there is no site."""
        patience = Patience(f"web app {_name(inputs.site)}", _LOOKING, self._cancelled)
        with Arm(patience) as arm:
            if arm.get(inputs.site, _WEB) is None:
                return None
            site = _Site(arm, inputs.site, inputs.slot, patience)
            in_slot = site.percent_in_slot()
            if inputs.percent < _ALL:
                return {**outputs, "revision": site.behind(), "percent": in_slot}
            return {**outputs, "revision": site.live(), "percent": _ALL - in_slot}

    def cancel(self) -> None:
        """Stop waiting; a swap that Azure has begun is ended by Azure."""
        self._cancelled.set()

    def _why_stopped(self) -> str | None:
        return "the swap was cancelled" if self._cancelled.is_set() else None

    def _try_out(self, site: _Site, inputs: SlotSwapInputs, patience: Patience) -> None:
        if site.live() == inputs.revision:
            fault = f"release {inputs.release[:12]} is live already, and can't be tried out beside itself"
            raise UpdateFailed(patience.where, fault, "deploy another one")
        self._prove(site, inputs, patience)
        site.send_to_slot(inputs.percent, _host(inputs.url))

    def _go_live(self, site: _Site, inputs: SlotSwapInputs, patience: Patience) -> None:
        if site.live() != inputs.revision:
            self._prove(site, inputs, patience)
            self._swap(site, inputs, patience)
        site.send_to_slot(0, _host(inputs.url))

    def _prove(self, site: _Site, inputs: SlotSwapInputs, patience: Patience) -> None:
        """Have the slot run the revision, be ready, and answer the golden examples as they were sealed."""
        if not inputs.settings.items() <= site.settings(site.slot).items():
            site.send_to_slot(0, _host(inputs.url))  # nobody shall ask a slot that starts anew
            self._tell(f"{patience.where}: the slot {inputs.slot} gets release {inputs.release[:12]}")
            site.configure_slot(inputs.settings)
        _wait_for_release(inputs, patience)
        examples = [Example.model_validate(item) for item in json.loads(inputs.examples)]
        gate.replay(inputs.url, examples, self._tell, self._why_stopped)

    def _swap(self, site: _Site, inputs: SlotSwapInputs, patience: Patience) -> None:
        while True:
            site.wait_until_idle()
            if site.live() == inputs.revision:
                return
            if site.behind() != inputs.revision:
                fault = f"the slot {inputs.slot} was given another release meanwhile"
                raise UpdateFailed(patience.where, fault, "run `up` again once the other update is over")
            self._tell(f"{patience.where}: swapping {inputs.slot} and production")
            try:
                site.swap()
            except Refusal as refusal:
                if refusal.status != httpx.codes.CONFLICT and not refusal.may_pass:
                    raise
                site.let_settle(inputs.revision, _SETTLING if refusal.status == UNHEARD else 1)


@dataclass(frozen=True)
class _Site:
    """A web app with one slot, as Azure has it now."""

    arm: Arm
    app: str
    slot_name: str
    patience: Patience

    @property
    def slot(self) -> str:
        return f"{self.app}/slots/{self.slot_name}"

    def live(self) -> str:
        """The revision in production; empty before the first."""
        return self.settings(self.app).get(REVISION, "")

    def behind(self) -> str:
        """The revision in the slot."""
        return self.settings(self.slot).get(REVISION, "")

    def settings(self, site: str) -> dict[str, str]:
        return dict(self.arm.ask("POST", f"{site}/config/appsettings/list", _WEB).get("properties") or {})

    def configure_slot(self, settings: Mapping[str, str]) -> None:
        """Replace all settings, and return once the old process is gone: it would answer in the new one's place.

        A start that takes longer than App Service waits goes on by itself.
        """
        self.arm.ask("PUT", f"{self.slot}/config/appsettings", _WEB, {"properties": dict(settings)})
        hard = {"softRestart": "false", "synchronous": "true"}
        try:
            self.arm.ask("POST", f"{self.slot}/restart", _WEB, query=hard, timeout=SYNCHRONOUS_TIMEOUT)
        except Refusal as refusal:
            if not refusal.is_late:
                raise

    def swap(self) -> None:
        body = {"targetSlot": "production", "preserveVnet": True}
        self.arm.ask("POST", f"{self.slot}/slotsswap", _WEB, body)

    def wait_until_idle(self) -> None:
        """Return once no operation is under way: one that was begun before is seen through."""
        while any(self._is_busy(each) for each in (self.app, self.slot)):
            self.patience.wait("an operation that was begun before is under way")

    def let_settle(self, revision: str, looks: int) -> None:
        """Give a swap that may have been heard the time to show itself."""
        for _ in range(looks):
            if self._is_busy(self.app) or self.live() == revision:
                return
            self.patience.wait("the swap was not accepted")

    def percent_in_slot(self) -> int:
        """The part of production's traffic that goes to the slot."""
        found = self.arm.ask("GET", f"{self.app}/config/web", _WEB)
        rules = (found["properties"].get("experiments") or {}).get("rampUpRules") or []
        return round(sum(rule.get("reroutePercentage") or 0 for rule in rules))

    def send_to_slot(self, percent: int, host: str) -> None:
        """Send this part of production's traffic to the slot; nothing is written where it is so already."""
        if self.percent_in_slot() == percent:
            return
        rule = {"name": self.slot_name, "actionHostName": host, "reroutePercentage": percent}
        body = {"properties": {"experiments": {"rampUpRules": [rule] if percent else []}}}
        self.arm.ask("PATCH", f"{self.app}/config/web", _WEB, body)

    def _is_busy(self, site: str) -> bool:
        found = self.arm.ask("GET", site, _WEB)
        return bool(found["properties"].get("inProgressOperationId"))


def _wait_for_release(inputs: SlotSwapInputs, patience: Patience) -> None:
    """Wait until the slot is ready and answers in the release's name, and not in that of the one before it."""
    with httpx.Client(timeout=10, trust_env=False) as client:
        while True:
            try:
                answer = client.get(f"{inputs.url}{gate.READY_PATH}")
                by = answer.headers.get(gate.RELEASE_HEADER, "nobody that we know")
                if answer.status_code == httpx.codes.OK and by == inputs.release[: len(by)]:
                    return
                seen = f"{gate.READY_PATH} of the slot answered {answer.status_code}, by {by}"
            except httpx.HTTPError as error:
                seen = f"{gate.READY_PATH} of the slot: {type(error).__name__}"
            patience.wait(seen)


class PublicAddressInputs(Frozen):
    """What a fixed address is told."""

    address: str
    """Id of the public IP address."""
    interface: str
    """Id of the network interface that it shall lead to."""
    timeout: float


class PublicAddress(Kind[PublicAddressInputs]):
    """The machine that a fixed address leads to; it is taken from one before it is given to another."""

    inputs = PublicAddressInputs
    replace_on: ClassVar[frozenset[str]] = frozenset({"address"})
    ignore: ClassVar[frozenset[str]] = frozenset({"timeout"})

    def __init__(self, tell: Tell = lambda _: None) -> None:
        self._tell = tell
        self._cancelled = threading.Event()

    def create(self, inputs: PublicAddressInputs) -> tuple[str, Properties]:
        """Let the address lead to the interface; broken off between the two steps, it leads nowhere until repeated."""
        with Arm(self._patience(inputs)) as arm:
            holder = _holder(arm, inputs.address)
            if not _is_same(holder, inputs.interface):
                if holder:
                    _lead(arm, holder, None)
                self._tell(f"address {_name(inputs.address)}: moving to {_name(inputs.interface)}")
                _lead(arm, inputs.interface, inputs.address)
        return f"{inputs.address}/pointer", {}

    def read(self, inputs: PublicAddressInputs, outputs: Properties) -> Properties | None:
        """The interface that the address really leads to; None when there is no address."""
        with Arm(self._patience(inputs)) as arm:
            if arm.get(inputs.address, _NETWORK) is None:
                return None
            holder = _holder(arm, inputs.address)
        return {**outputs, "interface": inputs.interface if _is_same(holder, inputs.interface) else holder}

    def delete(self, inputs: PublicAddressInputs) -> None:
        """Take the address from whoever has it, so that both can be deleted."""
        with Arm(self._patience(inputs)) as arm:
            if holder := _holder(arm, inputs.address):
                _lead(arm, holder, None)

    def cancel(self) -> None:
        """Stop waiting."""
        self._cancelled.set()

    def _patience(self, inputs: PublicAddressInputs) -> Patience:
        return Patience(f"address {_name(inputs.address)}", inputs.timeout, self._cancelled)


def _holder(arm: Arm, address: str) -> str:
    """Id of the interface that has the address; empty when none has."""
    found = arm.get(address, _NETWORK) or {}
    configuration = (found.get("properties") or {}).get("ipConfiguration") or {}
    return str(configuration.get("id", "")).partition("/ipConfigurations/")[0]


def _lead(arm: Arm, interface: str, address: str | None) -> None:
    """Give the interface another public address, or none."""
    found = arm.get(interface, _NETWORK)
    if found is None:
        return
    first = found["properties"]["ipConfigurations"][0]["properties"]
    first["publicIPAddress"] = {"id": address} if address else None
    arm.ask("PUT", interface, _NETWORK, found)


class RollingUpgradeInputs(Frozen):
    """What is expected of a scale set."""

    scale_set: str
    """Id of the scale set."""
    revision: str
    """The release and its configuration that its newest model starts."""
    timeout: float
    """Seconds that all of it may take."""


class RollingUpgrade(Kind[RollingUpgradeInputs]):
    """A scale set whose machines all run the newest model, and are ready."""

    inputs = RollingUpgradeInputs
    replace_on: ClassVar[frozenset[str]] = frozenset({"scale_set"})
    ignore: ClassVar[frozenset[str]] = frozenset({"timeout"})

    def __init__(self, tell: Tell = lambda _: None) -> None:
        self._tell = tell
        self._cancelled = threading.Event()

    def create(self, inputs: RollingUpgradeInputs) -> tuple[str, Properties]:
        """Wait for the upgrade that the new model began; UpdateFailed, with Azure's reason, when it fails."""
        where = f"scale set {_name(inputs.scale_set)}"
        patience = Patience(where, inputs.timeout, self._cancelled)
        told, failures = "", 0
        with Arm(patience) as arm:
            while True:
                upgrade = _upgrade(arm, inputs.scale_set)
                ready, all_of_them = _machines(arm, inputs.scale_set)
                if 0 < all_of_them == ready and upgrade.code != "RollingForward":
                    return f"{inputs.scale_set}/upgrade", {}
                # Right after a change, the latest upgrade may still be the one before.
                failures = failures + 1 if upgrade.code in {"Faulted", "Cancelled"} else 0
                if failures > _SETTLING:
                    remedy = "see a machine's console: `az vmss` … `get-boot-log`; docs/azure.md"
                    raise UpdateFailed(
                        where, f"the rolling upgrade is {upgrade.code.lower()}: {upgrade.reason}", remedy
                    )
                if (progress := f"{ready} of {all_of_them} machines run the release and are ready") != told:
                    self._tell(f"{where}: {progress}")
                    told = progress
                patience.wait(progress)

    def read(self, inputs: RollingUpgradeInputs, outputs: Properties) -> Properties | None:
        """None when there is no scale set."""
        patience = Patience(f"scale set {_name(inputs.scale_set)}", _LOOKING, self._cancelled)
        with Arm(patience) as arm:
            return None if arm.get(inputs.scale_set, _COMPUTE) is None else outputs

    def cancel(self) -> None:
        """Stop waiting; Azure goes on by itself."""
        self._cancelled.set()


@dataclass(frozen=True)
class _Upgrade:
    """The latest rolling upgrade of a scale set."""

    code: str = ""
    """RollingForward, Completed, Faulted or Cancelled; empty when there has been none."""
    reason: str = "no reason given"


def _upgrade(arm: Arm, scale_set: str) -> _Upgrade:
    found = arm.get(f"{scale_set}/rollingUpgrades/latest", _COMPUTE)
    if found is None:
        return _Upgrade()
    properties = found["properties"]
    error = properties.get("error") or {}
    return _Upgrade(properties["runningStatus"]["code"], error.get("message") or _Upgrade.reason)


def _machines(arm: Arm, scale_set: str) -> tuple[int, int]:
    """How many machines run the newest model and are ready, and how many there are."""
    found = arm.every(f"{scale_set}/virtualMachines", _COMPUTE, {"$expand": "instanceView"})
    machines = [machine["properties"] for machine in found]
    stay = [machine for machine in machines if machine.get("provisioningState") != "Deleting"]
    return sum(map(_is_ready, stay)), len(stay)


def _is_ready(machine: Mapping[str, Any]) -> bool:
    health = ((machine.get("instanceView") or {}).get("vmHealth") or {}).get("status") or {}
    return machine.get("latestModelApplied") is True and health.get("code") == "HealthState/healthy"


def _name(identity: str) -> str:
    return identity.rpartition("/")[2]


def _host(url: str) -> str:
    return url.partition("://")[2]


def _is_same(one: str, other: str) -> bool:
    """Azure writes ids now in these letters, now in those."""
    return one.lower() == other.lower()
