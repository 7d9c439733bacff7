"""A service that puts its endpoints below a prefix."""

from __future__ import annotations

from launched import packages, serving, with_service

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
