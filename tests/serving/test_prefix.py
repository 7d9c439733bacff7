"""A service that puts its endpoints below a prefix."""

from __future__ import annotations

import httpx
from launched import free_port, packages, serving, with_service

SERVICE = """
import bentoml


@bentoml.service(name="tiny", path_prefix="/v1")
class Tiny:
    @bentoml.api
    async def double(self, number: float) -> float:
        return number * 2
"""


def test_probes_are_at_the_root_where_platforms_ask_and_endpoints_below_the_prefix(unpacked, tmp_path):
    folder = with_service(unpacked, tmp_path / "release", SERVICE)
    with serving(folder, tmp_path / "state", BENTOSHIP_SITE_PACKAGES=packages(unpacked)) as served:
        assert [served.get(path).status_code for path in ("/readyz", "/livez", "/metrics", "/v1/readyz")] == [200] * 4
        assert served.post("/v1/double", {"number": 2}).json() == 4
        assert served.post("/double", {"number": 2}).status_code == 404


def test_what_metrics_ask_for_they_ask_for_below_the_prefix_as_well(unpacked, tmp_path):
    folder = with_service(unpacked, tmp_path / "release", SERVICE)
    told = {"BENTOSHIP_SITE_PACKAGES": packages(unpacked), "SERVING_METRICS_TOKEN": "let-me-see"}
    port = str(free_port())
    with serving(folder, tmp_path / "state", SERVING_METRICS_PORT=port, SERVING_TOKENS="x" * 16, **told) as served:
        own = f"http://127.0.0.1:{port}"
        assert [served.get(path).status_code for path in ("/metrics", "/v1/metrics")] == [404] * 2
        assert httpx.get(f"{own}/v1/metrics", trust_env=False).status_code == 401
        known = {"authorization": "Bearer let-me-see"}
        assert httpx.get(f"{own}/v1/metrics", headers=known, trust_env=False).status_code == 200
        assert served.get("/v1/readyz").status_code == 200
        assert served.post("/v1/double", {"number": 2}).status_code == 401
