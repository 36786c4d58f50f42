"""Credentials from files and the environment, and settings whose every fault is told at once."""

from __future__ import annotations

import pytest

from adapters import ConfigError, open_adapter
from adapters.config import Secret, secret
from tests.adapters.families.over_https import PASSWORD, guarded


def test_a_credential_shows_itself_to_nobody():
    hidden = Secret("geheim")
    assert "geheim" not in f"{hidden} {hidden!r} {[hidden]} {hidden!s}"
    assert hidden.reveal() == "geheim"


def test_a_credential_comes_from_a_file_or_from_the_environment(tmp_path, monkeypatch):
    file = tmp_path / "password"
    file.write_bytes("mật khẩu \r\n".encode())
    monkeypatch.setenv("EFILE_TEST_PASSWORD", "của tôi")
    from_file = secret("p", {"p_file": str(file), "p_env": None})
    from_variable = secret("p", {"p_env": "EFILE_TEST_PASSWORD"})
    assert from_file is not None
    assert from_variable is not None
    assert (from_file.reveal(), from_variable.reveal()) == ("mật khẩu ", "của tôi")
    assert secret("p", {}) is None


BAD = {
    "both": ({"p_file": "{}/good", "p_env": "PATH"}, "exclude each other"),
    "no such file": ({"p_file": "{}/none"}, "p_file"),
    "a folder": ({"p_file": "{}"}, "p_file"),
    "empty": ({"p_file": "{}/empty"}, "empty"),
    "not UTF-8": ({"p_file": "{}/latin"}, "not UTF-8"),
    "too large": ({"p_file": "{}/large"}, "larger than"),
    "no such variable": ({"p_env": "EFILE_TEST_NOWHERE"}, "EFILE_TEST_NOWHERE is empty or missing"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_credential_that_cannot_be_had(tmp_path, case):
    files = {"good": b"x", "empty": b"\n", "latin": b"geheim\xff", "large": b"x" * 20_000}
    for name, octets in files.items():
        (tmp_path / name).write_bytes(octets)
    values, words = BAD[case]
    with pytest.raises(ConfigError, match=words) as caught:
        secret("p", {key: value.format(tmp_path) for key, value in values.items()})
    assert "geheim" not in str(caught.value)


async def test_a_key_opens_with_the_password_in_a_variable(settings, pki, tmp_path, monkeypatch):
    key = guarded(pki, tmp_path)["client_key"]
    monkeypatch.setenv("EFILE_TEST_PASSWORD", PASSWORD)
    opened = open_adapter(
        "rest", settings("https://localhost", client_key=key, client_key_password_env="EFILE_TEST_PASSWORD")
    )
    assert opened.longest_call_s > 0
    await opened.close()


@pytest.mark.parametrize("password", ["sai mật khẩu", None])
def test_a_key_that_does_not_open_never_asks_the_terminal(settings, pki, tmp_path, monkeypatch, password):
    more = {"client_key": guarded(pki, tmp_path)["client_key"]}
    if password:
        monkeypatch.setenv("EFILE_TEST_PASSWORD", password)
        more["client_key_password_env"] = "EFILE_TEST_PASSWORD"
    with pytest.raises(ConfigError, match="TLS files") as caught:
        open_adapter("rest", settings("https://localhost", **more))
    assert "mật khẩu" not in str(caught.value)


def test_every_fault_of_every_sort_in_one_message(settings):
    table = settings(
        "http://agency.invalid/?a=1", ca_file="/nowhere", client_key=None, max_connections=0, base_uri=1
    )
    with pytest.raises(ConfigError) as caught:
        open_adapter("tax", {**table, "soap_version": "1.3", "client_key_password_env": "EFILE_TEST_NOWHERE"})
    for words in (
        "tax adapter",
        "unknown setting base_uri",
        "max_connections",
        "soap_version",
        "no user, password, query or fragment",
        "must be https",
        "EFILE_TEST_NOWHERE",
        "ca_file: no file",
        "go together",
    ):
        assert words in str(caught.value)
