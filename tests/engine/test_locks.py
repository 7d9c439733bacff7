from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime

import psutil
import pytest

from bentoship.engine.locks import Holder, holder

LOCK = "file:///srv/state/.pulumi/locks/organization/small/dev-local/2791dd2c-4b95-4e8f-a1f6-0c667140c1eb.json"
COMPLAINT = f"""\
error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the lock \
file with `pulumi cancel`.
  {LOCK}?no_tmp_dir=true: created by root@vm-1.example.com (pid 19454) at 2026-11-21T10:16:41Z
"""
"""What the engine, 3.259, really says."""


def test_the_holder_is_read_from_the_engines_complaint():
    assert holder(COMPLAINT) == Holder(
        "root", "vm-1.example.com", 19454, "2026-11-21T10:16:41Z", f"{LOCK}?no_tmp_dir=true"
    )
    assert holder(COMPLAINT).who == "root@vm-1.example.com (process 19454)"


def test_of_many_holders_the_first_is_named():
    second = COMPLAINT.splitlines()[1].replace("19454", "7")
    assert holder(COMPLAINT + second).pid == 19454


@pytest.mark.parametrize(
    "complaint", ["", "error: no stack named 'dev-local' found", "error: the stack is currently locked by 1 lock(s)."]
)
def test_other_complaints_name_nobody(complaint):
    assert holder(complaint) is None


def test_a_process_of_this_machine_that_runs_is_not_gone():
    here = Holder("anna", socket.gethostname(), os.getpid(), datetime.now(UTC).isoformat(), LOCK)
    assert here.is_here
    assert not here.is_gone


def test_a_process_of_this_machine_that_has_ended_is_gone():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert Holder("anna", socket.gethostname(), ended.pid, "", LOCK).is_gone


def test_another_process_that_got_the_number_later_is_not_the_holder():
    assert Holder("anna", socket.gethostname(), os.getpid(), "2001-01-01T00:00:00Z", LOCK).is_gone


def test_a_holder_that_nobody_has_waited_for_is_gone():
    dead = subprocess.Popen([sys.executable, "-c", "print('done', flush=True)"], stdout=subprocess.PIPE)
    assert dead.stdout.read() == b"done\n"
    while psutil.Process(dead.pid).status() != psutil.STATUS_ZOMBIE:
        os.sched_yield()
    assert Holder("anna", socket.gethostname(), dead.pid, datetime.now(UTC).isoformat(), LOCK).is_gone
    dead.stdout.close()
    dead.wait()


def test_nobody_can_tell_whether_another_machines_process_is_gone():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    there = Holder("anna", "another-machine", ended.pid, "", LOCK)
    assert not there.is_here
    assert not there.is_gone


def test_a_shared_backend_has_machines_that_share_a_name():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not Holder("anna", socket.gethostname(), ended.pid, "", LOCK.replace("file:///", "s3://")).is_gone
