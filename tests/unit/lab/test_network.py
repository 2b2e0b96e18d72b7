from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from ssi.lab import network
from ssi.lab.errors import LabStepError


class Kernel:
    """Knows one interface, and refuses to delete it."""

    def __init__(self, reason: str, *, stays: bool) -> None:
        self.links = [{"ifname": "ssi-x.1", "flags": ["UP"]}]
        self.reason = reason
        self.stays = stays

    def run_step(self, argv: Sequence[str], *, stdin: str = "") -> str:
        if argv[1:3] == ["-j", "link"]:
            return json.dumps(self.links)
        assert list(argv) == ["ip", "link", "delete", "ssi-x.1"] and not stdin
        if not self.stays:
            self.links = []
        raise LabStepError(step="ip link delete", reason=self.reason)


@pytest.mark.parametrize("reason", ["RTNETLINK answers: No such device", "Cannot find device"])
def test_an_interface_that_goes_by_itself_meanwhile_is_removed(
    monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    kernel = Kernel(reason, stays=False)
    monkeypatch.setattr(network, "run_step", kernel.run_step)
    network.remove("ssi-x", ["ssi-x.1"])
    assert network.links_of("ssi-x") == {}


def test_one_that_cannot_be_deleted_is_told_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = Kernel("Operation not permitted", stays=True)
    monkeypatch.setattr(network, "run_step", kernel.run_step)
    with pytest.raises(LabStepError, match="Operation not permitted"):
        network.remove("ssi-x", ["ssi-x.1"])
