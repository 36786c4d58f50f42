"""What a process does with files that change beneath it, and with settings that are unfit for production."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.errors import ConfigurationError
from gateway.jobs.refresh import Reloading
from gateway.production import require_fit_for_production
from gateway.settings import load_settings
from tests.house import House


class TestReloading:
    @staticmethod
    def read(directory: Path) -> str:
        return "".join(file.read_text() for file in sorted(directory.glob("*.txt")))

    def test_new_files_are_seen_and_bad_ones_change_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("one")
        value = Reloading(tmp_path, self.read)
        (tmp_path / "b.txt").write_text("two!")
        value.refresh()
        assert value() == "onetwo!"
        (tmp_path / "b.txt").write_bytes(b"\xff")
        value.refresh()
        assert value() == "onetwo!"

    def test_what_failed_is_tried_again_though_no_file_changed(self, tmp_path: Path) -> None:
        passing = [OSError("too many open files")]

        def make(directory: Path) -> str:
            if passing and (directory / "b.txt").exists():
                raise passing.pop()
            return self.read(directory)

        value = Reloading(tmp_path, make)
        (tmp_path / "b.txt").write_text("two")
        value.refresh()
        assert value() == ""
        value.refresh()
        assert value() == "two"

    def test_a_link_that_leads_nowhere_is_no_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("one")
        value = Reloading(tmp_path, self.read)
        (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
        (tmp_path / "b.txt").write_text("two")
        value.refresh()
        assert value() == "onetwo"


class TestProduction:
    def test_development_material_is_named_file_by_file(self, house: House) -> None:
        settings = load_settings(house.installation.settings)
        require_fit_for_production(settings)
        production = msgspec.structs.replace(settings, mode="production")
        readable = Path(production.agency[0].config["client_key"])
        readable.chmod(0o644)
        with pytest.raises(ConfigurationError) as refused:
            require_fit_for_production(production)
        readable.chmod(0o600)
        faults = "\n".join(refused.value.faults)
        for file in (
            production.door.certificate,
            production.notices.certificate,
            production.agency[0].config["client_cert"],
            production.agency[0].config["ca_file"],
        ):
            assert f"{file}: a development certificate" in faults
        assert f"{readable}: the key is readable by others" in faults
