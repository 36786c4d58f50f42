"""efile certs warn: what people were warned of, and whether they can be."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from gateway.cli.operator import with_store
from gateway.cli.output import json_option, print_json, refused
from gateway.cli.place import settings_of, settings_options
from gateway.clock import clock
from gateway.errors import ConfigurationError
from gateway.filing.identifiers import VIETNAM
from gateway.jobs.warn import fault_in_sending
from gateway.settings import Settings
from gateway.store.warnings import WarningState
from gateway.warning.channels import a_test, open_channels
from gateway.warning.matter import Channel, Message

_NEWEST = 200


@click.command()
@click.option("--test", is_flag=True, help="Send a test by every channel now. Exit code 1: one could not.")
@settings_options
@json_option
def warn(*, test: bool, config: Path, as_json: bool) -> None:
    """List the newest warnings and how they stand at each channel of the settings: sent, waiting, given up."""
    settings = settings_of(config)
    if test:
        _try(settings, as_json)
        return
    states = with_store(config, lambda store: store.warnings(_NEWEST))
    if as_json:
        print_json([_state_json(one) for one in states])
        return
    for one in states:
        raised = f"{one.raised_at.astimezone(VIETNAM):%Y-%m-%d %H:%M}"
        click.echo(
            f"{raised}  {one.channel:16} {_stands(one):8}  {one.matter.text.vi}\n{'':45}{one.matter.text.en}"
        )
        if one.fault is not None:
            click.secho(f"{'':45}✗ {one.fault} ({one.failures}×)", fg="red")
    click.echo(f"{len(states)} warnings")


def _try(settings: Settings, as_json: bool) -> None:
    channels = open_channels(settings.warnings)
    if not channels:
        raise ConfigurationError(["[warnings] names nobody: [[warnings.webhook]] or [[warnings.mail]]"])
    at = clock()
    message = Message(settings.gateway.code, settings.gateway.name, at, (a_test(at),))
    faults = asyncio.run(_send(channels, message))
    if as_json:
        print_json(
            [
                {"channel": one.name, "sent": fault is None, "fault": fault}
                for one, fault in zip(channels, faults, strict=True)
            ]
        )
    else:
        for one, fault in zip(channels, faults, strict=True):
            mark = click.style("✓", fg="green") if fault is None else click.style("✗", fg="red")
            said = "đã gửi / sent" if fault is None else f"không gửi được / not sent: {fault}"
            click.echo(f"{mark} {one.name}: {said}")
    if any(faults):
        refused()


async def _send(channels: Sequence[Channel], message: Message) -> list[str | None]:
    return await asyncio.gather(*(fault_in_sending(channel, message) for channel in channels))


def _stands(one: WarningState) -> str:
    return "sent" if one.sent_at is not None else "given up" if one.given_up else "waiting"


def _state_json(one: WarningState) -> dict[str, object]:
    return {
        "channel": one.channel,
        "state": _stands(one),
        "id": one.matter.id,
        "kind": one.matter.kind.value,
        "about": one.matter.about,
        "text": {"vi": one.matter.text.vi, "en": one.matter.text.en},
        "raisedAt": one.raised_at.isoformat(timespec="seconds"),
        "sentAt": None if one.sent_at is None else one.sent_at.isoformat(timespec="seconds"),
        "failures": one.failures,
        "fault": one.fault,
    }
