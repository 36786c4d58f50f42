"""Who is warned of what: a part of the composition root."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import signing
from gateway.api.clients import ClientTrust
from gateway.errors import ConfigurationError
from gateway.intake.verify import SignatureRules
from gateway.jobs.refresh import Reloading
from gateway.jobs.warn import Warner
from gateway.ports import Clock
from gateway.register.policy import RegisterPolicy, policy_at
from gateway.settings import Settings
from gateway.store.store import Store
from gateway.warning.channels import open_channels
from gateway.warning.due import Seen, due_matters
from gateway.warning.matter import Matter


class Lookout:
    """What this process sees of all that people are warned of."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        rules: Reloading[SignatureRules],
        clients: Sequence[Reloading[ClientTrust]],
        now: Clock,
    ) -> None:
        """`clients`: of each door, who issues and revokes the certificates of those who call."""
        self.settings = settings
        self.store = store
        self._rules = rules
        self._clients = clients
        self.now = now
        self._policy: RegisterPolicy | None = None

    async def due(self) -> list[Matter]:
        """All matters of now. Raises StoreUnavailable; ConfigurationError where there never was a policy."""
        at = self.now()
        read: list[Reloading[Any]] = [self._rules, *self._clients]
        faults = [one.fault for one in read if one.fault is not None]
        try:
            self._policy = policy_at(self.settings.register.policy, at)
        except (ConfigurationError, OSError) as error:
            if self._policy is None:
                raise
            faults.append(str(error))
        for process in await self.store.taken_over():
            faults += process.faults
        held = list(signing.holdings(self._rules().trust))
        for trust in self._clients:
            held += signing.held_lists(trust().revocation)
            held += signing.held_authorities(one for known in trust().issuers.values() for one in known)
        seen = Seen(await self.store.entries(), held, faults, await self.store.overdue())
        return due_matters(seen, self._policy, at)


def warning_job(
    lookout: Lookout, counted: Callable[[str, str], None]
) -> dict[str, Coroutine[None, None, None]]:
    """The job, by name; none where nobody is to be warned. Raises ConfigurationError."""
    settings = lookout.settings
    channels = open_channels(settings.warnings)
    if not channels:
        return {}
    warner = Warner(
        lookout.store,
        channels,
        lookout.due,
        lookout.now,
        owner=f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}",
        gateway=(settings.gateway.code, settings.gateway.name),
        seconds=settings.warnings.seconds,
        counted=counted,
    )
    return {"warnings": warner.run()}
