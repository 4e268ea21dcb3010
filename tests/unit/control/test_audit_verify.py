"""Does a whole trail verify, and only with the verifier's own key?"""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mcp_wallet.control.audit.verify import read_key
from mcp_wallet.core.errors import CallerError
from tests.trails import lived, notary


async def test_a_whole_trail_verifies(tmp_path: Path):
    report = await (await lived(tmp_path)).verify()
    assert report.document()["findings"] == []
    assert report.ok
    assert report.key_verified
    assert report.covered == report.events > 30


async def test_without_a_key_it_says_so_and_is_never_ok(tmp_path: Path):
    report = await (await lived(tmp_path)).verify(vkey="")
    assert (report.ok, report.key_verified) == (False, False)
    assert [finding.kind for finding in report.findings.shown] == ["unverified_key"]
    assert "UNVERIFIED KEY" in report.findings.shown[0].message


async def test_another_logs_key_verifies_nothing(tmp_path: Path):
    stranger = notary(Ed25519PrivateKey.from_private_bytes(b"\x08" * 32)).verifier_key
    report = await (await lived(tmp_path)).verify(vkey=stranger)
    assert not report.ok
    assert not report.key_verified
    assert report.findings.counts["checkpoint"] > 0


def test_a_malformed_key_is_the_callers_mistake():
    with pytest.raises(CallerError, match="name\\+hash\\+key"):
        read_key("ssh-ed25519 AAAA")
