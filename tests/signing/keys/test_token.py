"""Keys in a PKCS#11 token (SoftHSM2): what it signs verifies; forks, lost sessions, threads, wrong PINs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pkcs11
import pytest

from signing import FileKey, Indication, KeyRefused, KeyUnavailable, Policy, TrustStore, verify_xml
from signing.keys.token import TokenKey
from tests.signing.documents import codes, signed
from tests.signing.keys.softhsm import PIN, SoftHsm, softhsm, util
from tests.signing.pki import AT, Hierarchy, signer


@pytest.fixture(scope="module")
def keys(pki: Hierarchy) -> dict[str, FileKey]:
    made = {kind: signer(pki.ca, kind=kind, number=80) for kind in ("rsa2048", "p256", "p384")}
    return made | {"bare": signer(pki.ca, kind="p256", number=81)}


@pytest.fixture(scope="module")
def hsm(keys: dict[str, FileKey], tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    with softhsm(tmp_path_factory.mktemp("hsm"), keys) as made:
        yield made


def opened(hsm: SoftHsm, label: str = "p256") -> TokenKey:
    return TokenKey.open(hsm.module, hsm.label, PIN, key_label=label)


def test_opening_a_token_asks_nothing_of_a_process_without_one(tmp_path: Path) -> None:
    with pytest.raises(KeyRefused, match="no such PKCS#11 module"):
        TokenKey.open(tmp_path / "absent.so", "x", PIN)


@pytest.mark.parametrize("kind", ["rsa2048", "p256", "p384"])
@pytest.mark.parametrize("profile", ["xmldsig", "xades-b"])
def test_what_a_token_signs_verifies(
    kind: str, profile: str, hsm: SoftHsm, keys: dict[str, FileKey], policy: Policy, trust: TrustStore
) -> None:
    key = opened(hsm, kind)
    assert key.certificate == keys[kind].certificate
    report = verify_xml(signed(key, profile=profile), policy=policy, trust=trust, at=AT)
    assert report.indication is Indication.PASSED, codes(report)


def test_by_id_and_with_a_certificate_from_a_file(hsm: SoftHsm, keys: dict[str, FileKey]) -> None:
    assert TokenKey.open(hsm.module, hsm.label, PIN, key_id=b"\x03").certificate == keys["p384"].certificate
    with pytest.raises(KeyRefused, match="no certificate"):
        opened(hsm, "bare")
    own, other = keys["bare"].certificate, keys["p256"].certificate
    assert TokenKey.open(hsm.module, hsm.label, PIN, key_label="bare", certificates=(own,)).sign(
        b"x", "sha256"
    )
    wrong = TokenKey.open(hsm.module, hsm.label, PIN, key_label="bare", certificates=(other,))
    with pytest.raises(KeyRefused, match="not that of the certificate's key"):
        wrong.sign(b"x", "sha256")


@pytest.mark.parametrize(
    ("token", "options", "told"),
    [
        ("tests", {"key_label": "absent"}, "no private key with label 'absent'"),
        ("tests", {"key_label": "p256", "key_id": b"\x01"}, "no private key with label 'p256' and id 01"),
        ("tests", {}, "4 keys, not one"),
        ("other", {"key_label": "p256"}, "other"),
    ],
)
def test_what_does_not_name_one_key(token: str, options: dict[str, object], told: str, hsm: SoftHsm) -> None:
    with pytest.raises(KeyRefused, match=told):
        TokenKey.open(hsm.module, token, PIN, **options)  # type: ignore[arg-type]


def test_it_never_shows_its_pin(hsm: SoftHsm) -> None:
    assert PIN not in repr(opened(hsm))


def test_a_refused_pin_is_not_sent_again(
    keys: dict[str, FileKey], tmp_path: Path, hsm: SoftHsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "locked"
    util("--init-token", "--free", "--label", other, "--pin", "111111", "--so-pin", "87654321")
    pkcs11.lib(str(hsm.module)).reinitialize()
    with pytest.raises(KeyRefused, match="PinIncorrect") as caught:
        TokenKey.open(hsm.module, other, "999999", key_label="p256")
    assert "999999" not in str(caught.value)
    with pytest.raises(KeyRefused, match="not sent again"):
        TokenKey.open(hsm.module, other, "999999", key_label="p256")
    with pytest.raises(KeyRefused, match="no private key"):
        TokenKey.open(hsm.module, other, "111111", key_label="p256")


def in_child(work: object) -> int:
    """Exit status of a forked child that runs `work`: 0 done, 1 raised."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)  # a lock that was held at the fork must fail the test, not hang it
        try:
            work()  # type: ignore[operator]
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_over_a_fork_both_sign(hsm: SoftHsm) -> None:
    key = opened(hsm)
    assert key.sign(b"before", "sha256")
    assert in_child(lambda: [key.sign(b"child", "sha256") for _ in range(3)]) == 0
    assert key.sign(b"after", "sha256")


def test_a_fork_while_another_thread_signs_does_not_hang(hsm: SoftHsm) -> None:
    key = opened(hsm, "rsa2048")
    with ThreadPoolExecutor(2) as pool:
        busy = [pool.submit(key.sign, b"x", "sha256") for _ in range(60)]
        assert in_child(lambda: key.sign(b"child", "sha256")) == 0
        assert all(each.result() for each in busy)


@pytest.mark.parametrize("loss", ["session closed", "module begun anew"])
def test_a_lost_session_is_opened_anew(loss: str, hsm: SoftHsm) -> None:
    key = opened(hsm)
    assert key.sign(b"x", "sha256")
    if loss == "module begun anew":
        pkcs11.lib(str(hsm.module)).reinitialize()
    else:
        from signing.keys.token import _modules

        _modules[str(hsm.module)].sessions[hsm.label].close()
    assert key.sign(b"x", "sha256")


def test_a_token_that_is_gone_is_to_be_tried_later(hsm: SoftHsm) -> None:
    key = opened(hsm)
    tokens, away = hsm.folder / "tokens", hsm.folder / "away"
    tokens.rename(away)
    tokens.mkdir()
    pkcs11.lib(str(hsm.module)).reinitialize()
    with pytest.raises(KeyUnavailable):
        key.sign(b"x", "sha256")
    tokens.rmdir()
    away.rename(tokens)
    pkcs11.lib(str(hsm.module)).reinitialize()
    assert key.sign(b"x", "sha256")


def test_several_threads_and_two_keys_of_one_token(hsm: SoftHsm) -> None:
    pair = [opened(hsm, "p256"), opened(hsm, "rsa2048")]
    with ThreadPoolExecutor(4) as pool:
        values = list(pool.map(lambda n: pair[n % 2].sign(b"%d" % n, "sha256"), range(40)))
    assert len(set(values)) == 40


def test_openssl_agrees(hsm: SoftHsm, keys: dict[str, FileKey], tmp_path: Path) -> None:
    """Another judge: openssl verifies the token's RSA signature."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    public = tmp_path / "public.pem"
    public.write_bytes(
        keys["rsa2048"].certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    (tmp_path / "value").write_bytes(opened(hsm, "rsa2048").sign(b"content", "sha256"))
    (tmp_path / "content").write_bytes(b"content")
    command = ["openssl", "dgst", "-sha256", "-verify", public, "-signature", tmp_path / "value"]
    assert subprocess.run([*command, tmp_path / "content"], capture_output=True, check=False).returncode == 0
