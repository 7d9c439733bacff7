from conftest_operations import shop as shop  # noqa: PLC0414 - the fixture
