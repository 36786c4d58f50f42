"""Settings of adapters: every fault of a table at once, and credentials that show themselves to nobody."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from adapters.base import ConfigError

_LARGEST_SECRET = 16_384


class Secret:
    """A credential in memory. `repr`, `str` and a format string show that there is one, and no more."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The credential, for the wire alone."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"


class Form(Protocol):
    """A settings Struct that can say more about its values than their types do."""

    @classmethod
    def faults(cls, values: Mapping[str, Any]) -> list[str]:
        """What is wrong with `values`: those that have their type, with the defaults of the others."""
        ...


_Form = TypeVar("_Form", bound=Form)


def read_config(family: str, table: Mapping[str, Any], form: type[_Form]) -> _Form:
    """The settings of one agency.

    Raises:
        ConfigError: every fault in one message, each named by its key: unknown, missing, of a wrong type or
            out of range, and what `form.faults` finds. No value of a credential is in it.
    """
    values, faults = _values(table, form, "")
    faults += form.faults(values)
    if faults:
        raise ConfigError(f"{family} adapter: {'; '.join(faults)}")
    return form(**values)


def secret(name: str, values: Mapping[str, Any]) -> Secret | None:
    """The credential `name`, from the file `{name}_file` (UTF-8, without its last line break) or from the environment
    variable that `{name}_env` names; None where neither is set.

    Raises:
        ConfigError: both are set, or what they name is absent, empty, larger than 16 KiB or not UTF-8.
    """
    file, variable = values.get(f"{name}_file"), values.get(f"{name}_env")
    if file is not None and variable is not None:
        raise ConfigError(f"{name}_file and {name}_env exclude each other")
    if file is not None:
        value = _from_file(f"{name}_file", Path(file))
    elif variable is not None:
        value = os.environ.get(variable, "")
    else:
        return None
    if not value:
        raise ConfigError(f"{name}: {file or f'the environment variable {variable}'} is empty or missing")
    return Secret(value)


def secret_faults(names: Mapping[str, bool], values: Mapping[str, Any]) -> list[str]:
    """What is wrong with the credentials `names`; each says whether there must be one."""
    faults = []
    for name, needed in names.items():
        try:
            found = secret(name, values)
        except ConfigError as error:
            faults.append(str(error))
            continue
        if found is None and needed:
            faults.append(f"{name}_file or {name}_env is missing")
    return faults


def _values(table: Mapping[str, Any], form: type, path: str) -> tuple[dict[str, Any], list[str]]:
    """The values that have their type, and the faults of the others; a table within is read the same way."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(form)}
    faults = [f"unknown setting {path}{name}" for name in table if name not in fields]
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in table:
            if field.required:
                faults.append(f"{path}{name} is missing")
            else:
                made = field.default_factory
                values[name] = field.default if made is msgspec.NODEFAULT else made()
            continue
        within = isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)
        if within and isinstance(table[name], Mapping):
            faults += _values(table[name], field.type, f"{path}{name}.")[1]
        try:
            values[name] = msgspec.convert(table[name], field.type)
        except msgspec.ValidationError as error:
            if not (within and isinstance(table[name], Mapping)):
                faults.append(f"{path}{name}: {error}")
    return values, faults


def _from_file(key: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            octets = file.read(_LARGEST_SECRET + 1)
    except OSError as error:
        raise ConfigError(f"{key}: {path}: {error.strerror}") from error
    if len(octets) > _LARGEST_SECRET:
        raise ConfigError(f"{key}: {path} is larger than {_LARGEST_SECRET} bytes")
    try:
        return octets.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ConfigError(f"{key}: {path} is not UTF-8") from None
