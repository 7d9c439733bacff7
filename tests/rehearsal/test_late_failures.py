"""An update that fails once the pointer has moved, while what it pointed to before is removed, is gone back from."""

from __future__ import annotations

import pytest
from stage import ENVIRONMENT, who

from bentoship.errors import UpdateFailed
from bentoship.operations.status import known

pytestmark = [pytest.mark.slow, pytest.mark.long]


def test_what_was_live_is_live_again_and_the_history_says_what_failed(stage):
    old, new = (stage.release(word) for word in ("one", "two"))
    url = stage.deploy("machine", old).url
    stage.arm("ec2.Instance.delete = permission")
    with pytest.raises(UpdateFailed, match="UnauthorizedOperation"):
        stage.deploy("machine", new)
    assert who(url) == old.id[:12]
    (found,) = known(stage.project, ENVIRONMENT, only="machine").values()
    newest, first = found.ledger.entries
    assert (newest.release, newest.result, first.release) == (new.id, "failed", old.id)
    assert found.ledger.live == old
    assert not stage.deploy("machine", old).changes
    stage.deploy("machine", new)
    assert who(url) == new.id[:12]
