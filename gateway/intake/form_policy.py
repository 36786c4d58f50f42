"""By what policy a form's signatures are judged: the gateway's own, or one by which the form asks for more."""

from __future__ import annotations

from functools import lru_cache

import schemas
import signing


def policy_of(form: schemas.Form | None, own: signing.Policy) -> signing.Policy:
    """The policy for a form; `own` where it names none, or is not known.

    Raises:
        CatalogueError: the form's policy does not exist, or takes something that `own` does not.
    """
    if form is None or form.signature_policy is None:
        return own
    try:
        return _stricter(form.signature_policy, own)
    except signing.PolicyRefused as refused:
        fault = f"{form.folder.name}/form.toml: signature_policy: {refused}"
        raise schemas.CatalogueError((fault,)) from refused


@lru_cache(maxsize=64)
def _stricter(name: str, own: signing.Policy) -> signing.Policy:
    """Raises PolicyRefused."""
    policy = signing.load_policy(name)
    if laxer := policy.laxer_than(own):
        raise signing.PolicyRefused(
            f"{name} takes more than {own.name}, by which this gateway judges ({', '.join(laxer)})"
        )
    return policy


def with_policies(catalogue: schemas.Catalogue, own: signing.Policy) -> schemas.Catalogue:
    """The catalogue, every form's policy found fit beside `own`.

    Raises:
        CatalogueError: with every form's fault.
    """
    faults: dict[str, None] = {}
    for form in catalogue.forms:
        try:
            policy_of(form, own)
        except schemas.CatalogueError as error:
            faults |= dict.fromkeys(error.faults)
    if faults:
        raise schemas.CatalogueError(tuple(faults))
    return catalogue
