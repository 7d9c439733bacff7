"""The engine's home in a rehearsal: what the user's own environment says changes nothing there."""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import httpx

from bentoship.engine import backend
from bentoship.rehearsal import home


class Double(BaseHTTPRequestHandler):
    """Answers as Security Token Service does."""

    def do_POST(self):
        self.send_response(200)
        self.end_headers()
        inside = "<GetCallerIdentityResult><Account>111122223333</Account></GetCallerIdentityResult>"
        self.wfile.write(f"<GetCallerIdentityResponse>{inside}</GetCallerIdentityResponse>".encode())

    def log_message(self, *_):
        """Say nothing."""


def test_a_profile_and_a_proxy_of_the_user_s_are_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "work")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody answers
    monkeypatch.setenv("no_proxy", "example.com")
    for name, value in home.make(tmp_path).items():
        monkeypatch.setenv(name, value)
    assert "example.com" in os.environ["no_proxy"]
    with ThreadingHTTPServer(("127.0.0.1", 0), Double) as double:
        threading.Thread(target=double.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{double.server_port}"
        assert httpx.post(url).status_code == 200
        client = boto3.session.Session(region_name="eu-central-1").client("sts", endpoint_url=url)
        assert client.get_caller_identity()["Account"] == "111122223333"
        double.shutdown()


def test_a_folder_with_letters_of_urls_in_its_name_has_a_state_as_well(tmp_path):
    url = home.make(tmp_path / "C# 50%")["PULUMI_BACKEND_URL"]
    assert url.endswith("/C%23%2050%25/state")
    broken = tmp_path / "C# 50%" / "state" / ".pulumi" / "stack.json.attrs"
    broken.parent.mkdir(parents=True)
    broken.touch()
    assert backend.mend(tmp_path, {"PULUMI_BACKEND_URL": url})
    assert not broken.exists()
