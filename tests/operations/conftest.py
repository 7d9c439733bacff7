from conftest_operations import second_live as second_live  # noqa: PLC0414
from conftest_operations import shop as shop  # noqa: PLC0414 - the fixtures
from conftest_operations import two_releases as two_releases  # noqa: PLC0414
