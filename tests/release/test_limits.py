from __future__ import annotations

import pytest

from bentoship.release.limits import PLATFORMS, fits

MB = 1 << 20
SMALL = {"run.sh": 100, "app/src/service.py": 1000}


def spread(count: int, size: int = 1) -> dict[str, int]:
    """`count` files in folders of 100."""
    return {f"site-packages/package{index // 5000}/folder{index // 100}/{index}.py": size for index in range(count)}


def test_a_small_release_goes_everywhere() -> None:
    assert fits(SMALL, 70 * MB, "3.12") == dict.fromkeys(PLATFORMS, True)
    assert len(PLATFORMS) == 7


def test_ten_thousand_files_fit_app_engine_and_one_more_does_not() -> None:
    assert fits(spread(10_000), MB, "3.12")["gcp/app_engine"] is True
    told = fits(spread(10_001), MB, "3.12")
    assert told["gcp/app_engine"].startswith(
        "10,001 files, at most 10,000 (site-packages/package0: 5,000, site-packages/package1: 5,000, "
        "site-packages/package2: 1)"
    )
    assert "flavour: flexible" in told["gcp/app_engine"]
    assert [name for name, reason in told.items() if reason is not True] == ["gcp/app_engine"]


def test_a_file_over_32_mb_is_named_with_its_size() -> None:
    assert fits({"model": 32 * MB}, MB, "3.12")["gcp/app_engine"] is True
    sizes = {"a.so": 33 * MB, "b.so": 40 * MB, "c.so": 86 * MB, "d.so": 35 * MB, "e.so": MB}
    told = fits(sizes, MB, "3.12")["gcp/app_engine"]
    assert told.startswith("4 files over 32.0 MB (c.so: 86.0 MB, b.so: 40.0 MB, d.so: 35.0 MB);")


def test_a_folder_of_1001_files_is_named() -> None:
    files = {f"app/src/data/{index}": 1 for index in range(1000)}
    assert fits(files, MB, "3.12")["gcp/app_engine"] is True
    told = fits({**files, "app/src/data/last": 1}, MB, "3.12")["gcp/app_engine"]
    assert told.startswith("over 1,000 files in one folder (app/src/data: 1,001);")


def test_a_zip_over_500_mb_is_too_big_for_elastic_beanstalk_only() -> None:
    assert fits(SMALL, 500 * MB, "3.12")["aws/elastic_beanstalk"] is True
    told = fits({**SMALL, "model": 600 * MB}, 500 * MB + 1, "3.12")
    assert told["aws/elastic_beanstalk"] == (
        "the zip has 500.0 MB, at most 500.0 MB (model: 600.0 MB, app/src/service.py: 0.0 MB, run.sh: 0.0 MB)"
    )
    assert told["azure/web_app"] is True


@pytest.mark.parametrize(
    ("python", "refused"), [("3.13", set()), ("3.10", {"aws/elastic_beanstalk", "aws/ec2", "gcp/compute_engine"})]
)
def test_a_python_that_a_platform_does_not_offer_is_told(python, refused) -> None:
    told = fits(SMALL, MB, python)
    assert refused <= {name for name, reason in told.items() if reason is not True}
    assert told["local"] is True
    assert told["gcp/app_engine"] is True


def test_every_number_has_its_page() -> None:
    assert all(platform.pages for name, platform in PLATFORMS.items() if name != "local")
