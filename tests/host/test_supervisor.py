"""The life of a supervisor and of what it runs, seen through its handle and its stable URL."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import psutil
import pytest
from fake_release import unpacked
from load import PATIENCE, Load, get, post

from bentoship.errors import HostError
from bentoship.host import launch, ports, state
from bentoship.host.address import socket_path
from bentoship.host.control import Supervisor
from bentoship.host.logs import KEPT_SOURCES, tail
from conftest import IMPATIENT, processes_of

A, B = "a" * 64, "b" * 64


def start(supervisor, release_id, release, **variables):
    return supervisor.start(release_id, release, {"ANSWER": release_id[0], **variables}, 60)


def only(supervisor):
    (release,) = supervisor.status().releases
    return release


def until(condition):
    """Wait for a thing that only the outside world can show."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen within a minute")


def gone(pid):
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_release_answers_at_the_stable_url_once_it_has_traffic(supervisor, url, release):
    private = start(supervisor, A, release)
    assert get(private).text == "a"
    supervisor.route({A: 100})
    assert get(url).text == "a"

    status = supervisor.status()
    assert (status.url, status.traffic) == (url, {A: 100})
    running = only(supervisor)
    assert (running.id, running.url, running.ready, running.restarts, running.failure) == (A, private, True, 0, None)
    assert running.requests == 1
    assert running.in_flight == 0
    assert running.rss_bytes > 1_000_000
    assert running.started_at.endswith("Z")


def test_no_supervisor_has_no_status_and_nothing_to_shut_down(supervisor):
    assert supervisor.status() is None
    supervisor.shut_down()
    assert not supervisor.directory.exists()
    with pytest.raises(HostError, match="has no supervisor"):
        supervisor.route({A: 100})


def test_where_no_supervisor_runs_there_is_nothing_to_stop(supervisor):
    supervisor.stop(A)
    assert not supervisor.directory.exists()


def test_no_request_is_lost_while_traffic_changes_over_and_a_release_drains(supervisor, url, release):
    start(supervisor, A, release)
    supervisor.route({A: 100})
    with Load(url) as hammer, Load(url, connections=1, pause=0.02) as steady:
        start(supervisor, B, release)
        assert hammer.texts() | steady.texts() == {"a"}
        for now, number in (("b", B), ("a", A), ("b", B)):
            supervisor.route({number: 100})
            switched = time.monotonic()
            hammer.more(50)
            steady.more(5)
            assert hammer.texts(switched) | steady.texts(switched) == {now}
        supervisor.stop(A)
        hammer.more(100)
    for load in (hammer, steady):
        assert load.lost() == []
        assert len(load.answers) == load.sent
    assert [running.id for running in supervisor.status().releases] == [B]


def test_a_request_in_flight_is_answered_by_the_release_that_drains(supervisor, url, release, processes):
    start(supervisor, A, release)
    start(supervisor, B, release)
    supervisor.route({A: 100})
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(get, f"{url}/slow?seconds=1")
        until(lambda: supervisor.status().releases[0].in_flight)
        supervisor.route({B: 100})
        supervisor.stop(A)
        assert slow.done()
        assert slow.result().text == "a"
    assert len(processes()) == 1


def test_percents_are_kept_to_the_request(supervisor, url, release):
    start(supervisor, A, release)
    start(supervisor, B, release)
    supervisor.route({A: 90, B: 10})
    with httpx.Client(timeout=PATIENCE) as client:
        texts = [client.get(url).text for _ in range(1000)]
    assert (texts.count("a"), texts.count("b")) == (900, 100)


def test_a_canary_that_is_down_gives_its_share_to_the_release_that_is_up(supervisor, url, release):
    start(supervisor, A, release)
    start(supervisor, B, release, START_DELAY="0")
    supervisor.route({A: 50, B: 50})
    os.kill(supervisor.status().releases[1].pid, signal.SIGKILL)
    assert {post(url).status_code for _ in range(20)} <= {200, 502}
    until(lambda: supervisor.status().releases[1].ready)
    assert {get(url).text for _ in range(10)} == {"a", "b"}


def test_a_killed_release_is_back_for_the_next_request_on_the_same_url(supervisor, url, release):
    start(supervisor, A, release)
    supervisor.route({A: 100})
    before = only(supervisor).pid
    os.kill(before, signal.SIGKILL)
    until(lambda: gone(before))
    assert post(url).text == "a"
    after = only(supervisor)
    assert (after.pid != before, after.ready, after.restarts) == (True, True, 1)
    assert "was ended by SIGKILL" in after.failure


def test_a_release_that_dies_again_and_again_is_started_with_pauses_and_comes_back(supervisor, url, release):
    start(supervisor, A, release)
    supervisor.route({A: 100})
    for deaths in range(3):
        assert only(supervisor).restarts == deaths
        os.kill(only(supervisor).pid, signal.SIGKILL)
        until(lambda: only(supervisor).ready and only(supervisor).restarts == deaths + 1)  # noqa: B023
    assert get(url).text == "a"


def test_a_release_that_hangs_is_killed_and_started_again(tmp_path, release):
    supervisor = Supervisor(tmp_path / "watchful", replace(IMPATIENT, liveness_timeout=0.5, liveness_misses=2))
    try:
        url = supervisor.ensure(0)
        start(supervisor, A, release)
        supervisor.route({A: 100})
        hung = only(supervisor).pid
        os.kill(hung, signal.SIGSTOP)
        until(lambda: only(supervisor).pid not in (hung, None))
        assert get(url).text == "a"
        assert gone(hung)
        assert "no longer answered /livez" in only(supervisor).failure
    finally:
        supervisor.shut_down()


def test_a_release_that_is_killed_under_load_loses_only_what_was_already_sent_to_it(supervisor, url, release):
    start(supervisor, A, release)
    supervisor.route({A: 100})
    with Load(f"{url}/mirror", body=b"a body") as load:
        for restarts in range(1, 3):
            os.kill(only(supervisor).pid, signal.SIGKILL)
            until(lambda: only(supervisor).ready and only(supervisor).restarts == restarts)  # noqa: B023
            load.more(50)
    assert {answer.status for answer in load.answers} <= {200, 502}
    assert {answer.text for answer in load.answers if answer.status == 200} == {"a body"}


def test_a_release_that_fails_to_start_tells_code_and_last_lines_and_leaves_nothing(
    supervisor, url, release, processes
):
    start(supervisor, A, release)
    with pytest.raises(HostError) as caught:
        start(supervisor, B, release, FAIL="3", GRANDCHILD="1")
    sentence = str(caught.value)
    assert "release bbbbbbbbbbbb: exited with code 3 before it was ready" in sentence
    assert "the model is broken\n    giving up" in sentence
    assert only(supervisor).id == A
    assert processes() == [only(supervisor).pid]


def test_a_release_that_never_gets_ready_tells_so_and_leaves_nothing(supervisor, url, release, processes):
    with pytest.raises(HostError, match=r"was not ready within 0.8 seconds; it printed nothing"):
        supervisor.start(A, release, {"UNREADY": "1", "IGNORE_SIGTERM": "1", "GRANDCHILD": "1"}, 0.8)
    assert supervisor.status().releases == ()
    assert processes() == []


def test_a_release_whose_folder_is_not_there_is_an_error_and_no_traceback(supervisor, url, tmp_path):
    with pytest.raises(HostError, match=r"can't be started in .*No such file"):
        supervisor.start(A, tmp_path / "nowhere", {}, 5)


def test_a_slow_start_is_waited_for(supervisor, url, release):
    start(supervisor, A, release, START_DELAY="1")
    assert only(supervisor).ready


def test_the_same_release_with_the_same_variables_is_left_alone(supervisor, url, release):
    first = start(supervisor, A, release)
    assert start(supervisor, A, release) == first
    assert only(supervisor).restarts == 0


def test_other_variables_replace_the_process_and_lose_no_request(supervisor, url, release, processes):
    start(supervisor, A, release)
    supervisor.route({A: 100})
    with Load(url, connections=4) as load:
        supervisor.start(A, release, {"ANSWER": "other"}, 60)
        changed = time.monotonic()
        load.more(40)
    assert load.lost() == []
    assert load.texts() == {"a", "other"}
    assert load.texts(changed) == {"other"}
    assert len(processes()) == 1


def test_other_variables_that_fail_leave_the_old_process_serving(supervisor, url, release):
    start(supervisor, A, release)
    supervisor.route({A: 100})
    with pytest.raises(HostError, match="code 7"):
        start(supervisor, A, release, FAIL="7")
    assert get(url).text == "a"


def test_two_starts_at_once_make_one_process(supervisor, url, release, processes):
    with ThreadPoolExecutor() as pool:
        urls = set(pool.map(lambda _: start(supervisor, A, release), range(3)))
    assert len(urls) == len(processes()) == 1


def test_stop_is_idempotent_and_ends_the_whole_family(supervisor, url, release, processes):
    start(supervisor, A, release, GRANDCHILD="1", IGNORE_SIGTERM="1")
    assert len(processes()) == 2
    supervisor.stop(A)
    supervisor.stop(A)
    assert processes() == []
    assert list((supervisor.directory / "run").iterdir()) == []


def test_bytecode_of_a_release_goes_with_the_last_that_runs_from_its_folder(supervisor, url, release):
    (release / "own.py").write_text("")
    run = release / "run.sh"
    run.write_text(f'PYTHONPATH="{release}" "{sys.executable}" -c "import own"\n{run.read_text()}')
    start(supervisor, A, release)
    start(supervisor, B, release)
    supervisor.stop(A)
    (compiled,) = supervisor.directory.glob("bytecode/**/own.*.pyc")
    supervisor.stop(B)
    assert not compiled.parent.exists()
    assert release.is_dir()


def test_logs_of_releases_that_ended_long_ago_are_removed_when_another_starts(supervisor, url, release):
    for number in range(KEPT_SOURCES + 1):
        old = supervisor.logs / f"{number:012x}.log"
        old.write_text("2026-01-01T00:00:00.000000Z x y\n")
        os.utime(old, (number, number))
    start(supervisor, A, release)
    kept = {file.name for file in supervisor.logs.glob("0*.log")}
    assert kept == {f"{number:012x}.log" for number in range(1, KEPT_SOURCES + 1)}


@pytest.mark.parametrize("traffic", [{A: 60}, {A: 120, B: -20}, {}, {"c" * 64: 100}])
def test_traffic_that_makes_no_sense_is_refused_and_changes_nothing(supervisor, url, release, traffic):
    start(supervisor, A, release)
    start(supervisor, B, release)
    supervisor.route({A: 100})
    with pytest.raises(HostError, match=r"^traffic: "):
        supervisor.route(traffic)
    assert supervisor.status().traffic == {A: 100}


def test_a_request_that_finds_nothing_ready_is_answered_503_after_its_patience(tmp_path, release):
    supervisor = Supervisor(tmp_path / "impatient", state.Settings(patience=0.2))
    try:
        answer = get(supervisor.ensure(0))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    finally:
        supervisor.shut_down()


def test_more_requests_than_may_wait_are_answered_at_once(tmp_path):
    supervisor = Supervisor(tmp_path / "crowded", state.Settings(patience=60, waiting_requests=1))
    try:
        url = supervisor.ensure(0)
        with socket.create_connection(("127.0.0.1", supervisor.status().port)) as first:
            first.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            until(lambda: answered(url) == 503)
    finally:
        supervisor.shut_down()


def answered(url):
    try:
        return httpx.get(url, timeout=0.5).status_code
    except httpx.ReadTimeout:
        return None  # it was this one that waits


def test_a_killed_supervisor_comes_back_with_port_releases_and_traffic(supervisor, url, release, processes):
    start(supervisor, A, release, GRANDCHILD="1", IGNORE_SIGTERM="1")
    start(supervisor, B, release)
    supervisor.route({A: 90, B: 10})
    before, old = supervisor.status(), processes()
    os.kill(before.pid, signal.SIGKILL)
    until(lambda: gone(before.pid))
    until(lambda: supervisor.status() is None)

    assert supervisor.ensure(before.port) == url
    assert get(url).text in {"a", "b"}
    until(lambda: all(running.ready for running in supervisor.status().releases))
    after = supervisor.status()
    assert [running.id for running in after.releases] == [A, B]
    assert after.traffic == {A: 90, B: 10}
    assert all(gone(pid) for pid in old)
    assert len(processes()) == 3
    said = [line.text for line in tail(supervisor.logs)]
    assert any(line.startswith("ended what an earlier supervisor had left running") for line in said)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
def test_releases_of_a_killed_supervisor_end_by_themselves(supervisor, url, release, processes):
    start(supervisor, A, release)
    os.kill(supervisor.status().pid, signal.SIGKILL)
    until(lambda: processes() == [])


def test_sigterm_drains_ends_everything_and_keeps_the_state(supervisor, url, release, processes):
    start(supervisor, A, release)
    supervisor.route({A: 100})
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(get, f"{url}/slow?seconds=0.5")
        until(lambda: only(supervisor).in_flight)
        daemon = supervisor.status().pid
        os.kill(daemon, signal.SIGTERM)
        assert slow.result().text == "a"
    until(lambda: gone(daemon))
    assert processes() == []
    assert state.read(supervisor.directory).traffic == {A: 100}


def test_shut_down_leaves_no_process_no_socket_and_no_state(supervisor, url, release, processes):
    start(supervisor, A, release, GRANDCHILD="1")
    daemon = supervisor.status().pid
    supervisor.shut_down()
    supervisor.shut_down()
    until(lambda: gone(daemon))
    assert processes() == []
    assert not socket_path(supervisor.directory).exists()
    assert state.read(supervisor.directory) is None
    assert supervisor.status() is None


def test_shut_down_after_a_kill_cleans_up_too(supervisor, url, release, processes):
    start(supervisor, A, release, IGNORE_SIGTERM="1")
    daemon = supervisor.status().pid
    os.kill(daemon, signal.SIGKILL)
    until(lambda: gone(daemon))
    supervisor.shut_down()
    assert processes() == []
    assert state.read(supervisor.directory) is None


@pytest.fixture
def serving(tmp_path):
    """A supervisor whose release is unpacked in its own directory, which tests move; it is gone after the test."""
    handle = Supervisor(tmp_path / "before", IMPATIENT)
    handle.ensure(0)
    start(handle, A, unpacked(handle.directory / "releases" / "a"))
    handle.route({A: 100})
    yield handle
    handle.shut_down()
    assert processes_of(handle) == []


def test_a_directory_that_is_moved_while_it_serves_goes_on_from_its_new_place(serving, tmp_path):
    before = serving.status()
    after = Supervisor(serving.directory.rename(tmp_path / "after"), IMPATIENT)
    try:
        assert after.ensure(0) == before.url
        until(lambda: gone(before.pid))
        assert get(before.url).text == "a"
        assert psutil.Process(only(after).pid).cwd() == str(after.directory / "releases" / "a")
        assert after.status().traffic == before.traffic
        assert not serving.directory.exists()
    finally:
        after.shut_down()


def test_a_directory_that_was_moved_while_it_served_can_be_shut_down(serving, tmp_path):
    pid = serving.status().pid
    after = Supervisor(serving.directory.rename(tmp_path / "after"))
    after.shut_down()
    until(lambda: gone(pid))
    assert processes_of(serving) == []
    assert state.read(after.directory) is None


def test_a_copy_of_a_directory_leaves_the_supervisor_of_the_original_alone(serving, tmp_path):
    before = serving.status()
    copy = Supervisor(shutil.copytree(serving.directory, tmp_path / "copy"), IMPATIENT)
    try:
        url = copy.ensure(ports.free_port())
        assert {get(url).text, get(before.url).text} == {"a"}
        assert psutil.Process(only(copy).pid).cwd() == str(copy.directory / "releases" / "a")
    finally:
        copy.shut_down()
    assert serving.status().pid == before.pid
    assert only(serving).pid == before.releases[0].pid


def test_a_supervisor_whose_directory_is_gone_stops_its_releases_and_ends(serving):
    pid = serving.status().pid
    shutil.rmtree(serving.directory)
    serving.stop(A)
    assert serving.status().releases == ()
    assert processes_of(serving) == []
    serving.shut_down()
    assert gone(pid)
    assert not serving.directory.exists()
    assert not socket_path(serving.directory).exists()


def test_a_supervisor_outlives_the_command_that_started_it(tmp_path, supervisor):
    code = (
        "import sys; from pathlib import Path; from bentoship.host.control import Supervisor;"
        "print(Supervisor(Path(sys.argv[1])).ensure(0))"
    )
    ran = subprocess.run([sys.executable, "-c", code, supervisor.directory], capture_output=True, check=True, text=True)
    status = supervisor.status()
    assert status.url == ran.stdout.strip()
    daemon = psutil.Process(status.pid)
    assert os.getsid(status.pid) != os.getsid(0)
    assert daemon.cwd() == "/"


def test_many_that_ensure_at_once_get_one_supervisor(supervisor):
    handles = [Supervisor(supervisor.directory, IMPATIENT) for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        urls = set(pool.map(lambda handle: handle.ensure(0), handles))
    assert len(urls) == 1
    started = [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(supervisor.directory) in (process.info["cmdline"] or [])
    ]
    assert len(started) == 1


def test_a_taken_port_is_named_with_the_process_that_holds_it(supervisor):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(HostError) as caught:
            supervisor.ensure(port)
    assert f"port {port}: is taken by" in str(caught.value)
    assert f"(pid {os.getpid()})" in str(caught.value)
    assert "choose another port" in str(caught.value)
    assert supervisor.status() is None


def test_a_port_that_is_none_of_ours_is_an_error_and_no_traceback(supervisor):
    with pytest.raises(HostError, match="choose a host that is an address of this machine"):
        supervisor.ensure(0, "192.0.2.1")


def test_it_moves_to_another_port_and_keeps_what_it_runs(supervisor, url, release):
    start(supervisor, A, release)
    supervisor.route({A: 100})
    pid = only(supervisor).pid
    port = ports.free_port()
    moved = supervisor.ensure(port)
    assert moved == f"http://127.0.0.1:{port}"
    assert get(moved).text == "a"
    assert only(supervisor).pid == pid
    with pytest.raises(httpx.ConnectError):
        get(url)
    assert state.read(supervisor.directory).port == port


def test_a_folder_too_deep_for_a_socket_is_no_problem(tmp_path):
    supervisor = Supervisor(tmp_path / ("deep" * 30) / ("deeper" * 20))
    supervisor.ensure(0)
    try:
        assert supervisor.status() is not None
    finally:
        supervisor.shut_down()


def test_control_and_state_are_for_this_user_alone(supervisor, url):
    path = socket_path(supervisor.directory)
    for file, mode in ((path, 0o600), (path.parent, 0o700), (supervisor.directory / state.FILE, 0o600)):
        assert stat.S_IMODE(file.stat().st_mode) == mode
    listening = psutil.Process(supervisor.status().pid).net_connections(kind="tcp")
    assert [connection.laddr.port for connection in listening] == [supervisor.status().port]


def test_a_folder_that_can_not_be_made_is_an_error_and_no_traceback(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HostError, match="can't be written"):
        Supervisor(tmp_path / "file" / "deployment").ensure(0)


def test_damaged_state_is_an_error_with_a_remedy(supervisor):
    supervisor.directory.mkdir()
    (supervisor.directory / state.FILE).write_text("{")
    with pytest.raises(HostError, match=r"state.json: is damaged .*delete it"):
        supervisor.ensure(0)
    (supervisor.directory / state.FILE).unlink()


def test_a_release_that_can_not_be_remembered_is_not_left_running(supervisor, url, release, processes):
    in_the_way = supervisor.directory / f"{state.FILE}.new"
    in_the_way.mkdir()
    with pytest.raises(HostError, match=r"state.json: can't be written"):
        start(supervisor, A, release)
    assert supervisor.status().releases == ()
    assert processes() == []
    in_the_way.rmdir()
    start(supervisor, A, release)
    supervisor.route({A: 100})
    assert list(state.read(supervisor.directory).releases) == [A]


def test_each_release_has_a_port_of_its_own_for_its_metrics(release, tmp_path):
    told = {"SERVING_METRICS_PORT": "9090", "OTHER": "1"}
    ports_of = {launch.environment(1, tmp_path, told)["SERVING_METRICS_PORT"] for _ in range(2)}
    assert "9090" not in ports_of
    assert launch.environment(1, tmp_path, {**told, "SERVING_METRICS_PORT": "0"})["SERVING_METRICS_PORT"] == "0"
    assert "SERVING_METRICS_PORT" not in launch.environment(1, tmp_path, {"OTHER": "1"})


def test_what_a_release_prints_is_kept_with_its_name(supervisor, url, release):
    start(supervisor, A, release)
    supervisor.route({A: 100})
    get(f"{url}/shout?lines=3&word=wörd")
    until(
        lambda: [line.text for line in tail(supervisor.logs) if line.source == "aaaaaaaaaaaa"][-1:] == ["line 2 wörd"]
    )


def test_a_release_sees_little_of_the_environment_of_the_command(supervisor, release, tmp_path):
    environment = {**os.environ, "SECRET_OF_THE_SHELL": "x"}
    code = "import sys; from pathlib import Path; from bentoship.host.control import Supervisor;"
    code += "s = Supervisor(Path(sys.argv[1])); s.ensure(0); s.start('a' * 64, Path(sys.argv[2]), {}, 60)"
    subprocess.run([sys.executable, "-c", code, supervisor.directory, release], env=environment, check=True)
    seen = psutil.Process(only(supervisor).pid).environ()
    assert "SECRET_OF_THE_SHELL" not in seen
    assert seen["BENTOSHIP_STATE_DIR"].startswith(str(supervisor.directory))


def test_the_handle_needs_no_web_server_in_the_process_of_the_command():
    code = "import sys, bentoship.host.control, bentoship.host.logs; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout.split()
    assert not {"aiohttp", "bentoml", "httpx", "pulumi", "pydantic"} & set(loaded)


def test_requests_that_come_while_a_release_starts_again_wait_for_it(supervisor, url, release):
    start(supervisor, A, release, START_DELAY="0.3")
    supervisor.route({A: 100})
    pid = only(supervisor).pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid))
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(post(url))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.text for answer in answers] == ["a"] * 10
