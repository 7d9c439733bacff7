"""What every machine of ours on Azure is made of: an image, a boot script, a disk; and nobody who logs in."""

from __future__ import annotations

import base64
import hashlib

import pulumi
import pulumi_azure_native as azure

from ... import boot
from ...deployment import ReleaseRef, Workload
from ._shared import Releases, account_name
from ._sizes import cheapest, image_for
from .virtual_machine import VirtualMachine

PORT = 8000
"""Where releases listen; the service has no right to listen below 1024."""
BOOT_SECONDS = 420
"""What a machine may take to start and to fetch and unpack a release, before the release itself begins to start."""
USER = "bentoship"
LONGEST_CUSTOM_DATA = 65_535
"""Bytes before they are encoded ("Custom data and cloud-init on Azure Virtual Machines"); the boot script has fewer."""


def _key_that_nobody_has() -> str:
    """Azure makes no Linux machine without a password or a key: a public key that was not made from a private one."""
    kind = b"ssh-ed25519"
    point = hashlib.sha256(b"bentoship: nobody logs in by SSH, 3").digest()
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (kind, point))
    return f"{kind.decode()} {base64.b64encode(blob).decode()} nobody"


def custom_data(workload: Workload, release: ReleaseRef, releases: Releases) -> pulumi.Output[str]:
    """What a machine runs at its first start to become `release`, as the API takes it."""
    script = pulumi.Output.all(releases.blobs[release.id].url, releases.identity.client_id).apply(
        lambda known: base64.b64encode(boot_script(workload, release, *map(str, known)).encode()).decode()
    )
    # In the stack's state variables are secret everywhere; on the machine whoever is there can read them.
    return pulumi.Output.secret(script)


def boot_script(workload: Workload, release: ReleaseRef, archive: str, client_id: str) -> str:
    """The boot script of `release`, whose archive the identity `client_id` may read."""
    variables = dict(workload.variables)
    return boot.render(boot.Settings(release.id, archive, PORT, variables, workload.ready_timeout, client_id=client_id))


def machine_revision(target: VirtualMachine, workload: Workload, release: ReleaseRef) -> str:
    """A name for one release on one kind of machine: whatever needs a new machine gives another name.

    The machine of the old name stays untouched until the new one has passed the gate, and going back finds it there.
    """
    account = account_name(target.subscription, workload.name)
    script = boot_script(workload, release, f"https://{account}.blob.core.windows.net/releases/release.zip", "nobody")
    shape = f"{size(target, workload)} {target.disk_gb} {target.image_version} {script}"
    return f"{release.short}-{hashlib.sha256(shape.encode()).hexdigest()[:6]}"


def size(target: VirtualMachine, workload: Workload) -> str:
    """The size of the machines."""
    return target.size or cheapest(workload.scale)


def image(target: VirtualMachine, release: ReleaseRef) -> azure.compute.ImageReferenceArgs:
    """The image whose own Python is that of the release."""
    found = image_for(release.python)
    return azure.compute.ImageReferenceArgs(
        publisher=found.publisher, offer=found.offer, sku=found.sku, version=target.image_version
    )


def nobody_logs_in() -> azure.compute.LinuxConfigurationArgs:
    """No password, and a key that nobody has; Run Command goes through the agent. The image patches itself."""
    key = azure.compute.SshPublicKeyArgs(path=f"/home/{USER}/.ssh/authorized_keys", key_data=_key_that_nobody_has())
    return azure.compute.LinuxConfigurationArgs(
        disable_password_authentication=True,
        provision_vm_agent=True,
        ssh=azure.compute.SshConfigurationArgs(public_keys=[key]),
    )


def trusted_launch() -> azure.compute.SecurityProfileArgs:
    """Secure boot, and a virtual TPM."""
    return azure.compute.SecurityProfileArgs(
        security_type="TrustedLaunch",
        uefi_settings=azure.compute.UefiSettingsArgs(secure_boot_enabled=True, v_tpm_enabled=True),
    )


def console() -> azure.compute.DiagnosticsProfileArgs:
    """What a machine writes while it starts can be read without a login."""
    return azure.compute.DiagnosticsProfileArgs(boot_diagnostics=azure.compute.BootDiagnosticsArgs(enabled=True))
