"""The provider as the engine knows it: a process that prints its port, and answers over gRPC."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from bentoship import _version
from bentoship.provider.properties import UNKNOWN, from_struct, to_struct
from fake_project import unused_url
from fake_service import FakeService, as_json

GATE = "bentoship:index:Gate"
URN = f"urn:pulumi:dev-local::bentoship::{GATE}::gate"
RELEASE = "ab" * 32
REVISION = "abababababab-1"
EXAMPLES = json.dumps([{"path": "/predict", "body": {"years": 2}, "answer": {"salary": 52062.76}, "tolerance": 1e-6}])


class Loading(FakeService):
    """A service that is never ready, and says when it was first asked."""

    def __enter__(self):
        self.probed = threading.Event()
        return super().__enter__()

    def probe(self):
        self.probed.set()
        return 503


def start():
    return subprocess.Popen(
        [sys.executable, "-m", "bentoship.provider", "127.0.0.1:1"], stdout=subprocess.PIPE, text=True, process_group=0
    )


@pytest.fixture
def process():
    """A provider of its own, which is gone after the test."""
    with start() as started:
        yield started
        started.kill()


@pytest.fixture(scope="module")
def shared():
    """One provider for all tests that don't end it."""
    with start() as started:
        yield started
        started.kill()


def client(process):
    return grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}")


@pytest.fixture(scope="module")
def provider(shared):
    with client(shared) as channel:
        yield provider_pb2_grpc.ResourceProviderStub(channel)


def gate(url, **other):
    told = {"release": RELEASE, "revision": REVISION, "url": url, "examples": EXAMPLES, "ready_timeout": 5}
    return {**told, **other}


def check(provider, inputs, token=GATE):
    return provider.Check(provider_pb2.CheckRequest(urn=URN, type=token, name="gate", news=to_struct(inputs)))


def create(provider, inputs, **more):
    return provider.Create(
        provider_pb2.CreateRequest(urn=URN, type=GATE, name="gate", properties=to_struct(inputs), **more)
    )


def diff(provider, old, new):
    request = provider_pb2.DiffRequest(urn=URN, type=GATE, id="gate", old_inputs=to_struct(old), news=to_struct(new))
    return provider.Diff(request)


def test_it_says_who_it_is(provider):
    assert provider.GetPluginInfo(empty_pb2.Empty()).version == _version.__version__


def test_an_unknown_property_is_named_by_its_path_with_the_nearest_one(provider):
    (failure,) = check(provider, gate("http://x", exampels="[]")).failures
    assert failure.property == "exampels"
    assert failure.reason == "unknown property; did you mean 'examples'?"


def test_inputs_that_are_right_pass(provider):
    answer = check(provider, gate("http://x"))
    assert list(answer.failures) == []
    assert from_struct(answer.inputs) == gate("http://x")


def test_a_url_that_is_not_known_yet_passes_and_is_previewed(provider):
    assert list(check(provider, gate(UNKNOWN)).failures) == []
    outputs = from_struct(create(provider, gate(UNKNOWN), preview=True).properties)
    assert outputs["release"] == RELEASE
    assert [outputs[name] for name in ("url", "passed", "asked", "ready_seconds")] == [UNKNOWN] * 4


def test_a_preview_asks_nobody(provider):
    with FakeService() as service:
        assert from_struct(create(provider, gate(service.url), preview=True).properties)["passed"] is UNKNOWN
        assert (service.probes, service.asked) == (0, [])


def test_a_gate_that_passes_says_how_many_examples_were_asked(provider):
    with FakeService(reply=lambda _path, _body: as_json({"salary": 52062.76})) as service:
        answer = create(provider, gate(service.url))
        assert service.asked == [("/predict", {"years": 2})]
    assert answer.id
    outputs = from_struct(answer.properties)
    assert (outputs["passed"], outputs["asked"], outputs["release"]) == (True, 1, RELEASE)


def test_a_wrong_answer_refuses_the_gate_with_expected_got_and_tolerance(provider):
    with (
        FakeService(reply=lambda _path, _body: as_json({"salary": 99})) as service,
        pytest.raises(grpc.RpcError) as refusal,
    ):
        create(provider, gate(service.url))
    assert refusal.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert refusal.value.details() == (
        "golden example 1, POST /predict: salary: expected 52062.76, got 99, tolerance 1e-06"
    )


def test_a_release_that_is_never_ready_refuses_the_gate(provider):
    with pytest.raises(grpc.RpcError) as refusal:
        create(provider, gate(unused_url(), ready_timeout=0.3))
    assert refusal.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "was not ready" in refusal.value.details()


def test_a_defect_of_ours_is_told_with_its_traceback_and_the_provider_lives_on(provider):
    with FakeService() as service, pytest.raises(grpc.RpcError) as refusal:
        create(provider, gate(service.url, examples="not JSON"))
    assert refusal.value.code() is grpc.StatusCode.INTERNAL
    assert "Traceback" in refusal.value.details()
    assert provider.GetPluginInfo(empty_pb2.Empty()).version


def test_a_gate_is_kept_for_its_revision_whatever_address_it_has(provider):
    old = gate("http://127.0.0.1:1")
    same = diff(provider, old, gate("http://127.0.0.1:2", ready_timeout=9))
    assert same.changes == provider_pb2.DiffResponse.DIFF_NONE
    other = diff(provider, old, gate("http://127.0.0.1:1", revision="abababababab-2"))
    assert other.changes == provider_pb2.DiffResponse.DIFF_SOME
    assert list(other.replaces) == ["revision"]


def test_reading_a_gate_and_deleting_it_touch_nobody(provider):
    outputs = gate("http://127.0.0.1:1", passed=True, asked=1, ready_seconds=0.1)
    read = provider.Read(
        provider_pb2.ReadRequest(
            urn=URN, type=GATE, id="gate", inputs=to_struct(gate("http://127.0.0.1:1")), properties=to_struct(outputs)
        )
    )
    assert (read.id, from_struct(read.properties)) == ("gate", outputs)
    provider.Delete(provider_pb2.DeleteRequest(urn=URN, type=GATE, id="gate", properties=to_struct(outputs)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_when_it_is_told_to(process, number):
    assert int(process.stdout.readline()) > 0
    process.send_signal(number)
    assert process.wait(10) == 0
    assert process.stdout.read() == ""


def test_it_ends_when_it_is_told_to_even_while_a_gate_waits(process):
    with Loading() as service, client(process) as channel:
        waiting = provider_pb2_grpc.ResourceProviderStub(channel).Create.future(
            provider_pb2.CreateRequest(
                urn=URN, type=GATE, name="gate", properties=to_struct(gate(service.url, ready_timeout=600))
            )
        )
        assert service.probed.wait(10)
        process.terminate()
        assert process.wait(10) == 0
        assert waiting.exception() is not None


def test_a_cancelled_operation_ends_the_wait_of_a_gate(process):
    with Loading() as service, client(process) as channel:
        stub = provider_pb2_grpc.ResourceProviderStub(channel)
        waiting = stub.Create.future(
            provider_pb2.CreateRequest(
                urn=URN, type=GATE, name="gate", properties=to_struct(gate(service.url, ready_timeout=600))
            )
        )
        assert service.probed.wait(10)
        stub.Cancel(empty_pb2.Empty())
        assert waiting.exception(timeout=10).code() is grpc.StatusCode.FAILED_PRECONDITION
        assert "cancelled" in waiting.exception().details()


def test_it_ends_when_the_engine_was_killed():
    """The engine here is a shell that starts the provider and says its process id."""
    command = f'"{sys.executable}" -m bentoship.provider 127.0.0.1:1 & echo $!; wait'
    with subprocess.Popen(["/bin/sh", "-c", command], stdout=subprocess.PIPE, text=True) as engine:
        int(engine.stdout.readline())
        assert int(engine.stdout.readline()) > 0
        engine.kill()
        # The pipe ends when nobody holds it any more: the provider is gone.
        assert engine.stdout.read() == ""
