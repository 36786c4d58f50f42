"""The papers that a recorded dossier lists, read again from its bytes."""

from __future__ import annotations

from itertools import islice

import schemas
import signing
from gateway.intake.parse import read_document


def listed_papers(document: bytes, families: schemas.Families) -> tuple[schemas.Attachment, ...]:
    """In the order of the list, at most `schemas.MOST_ATTACHMENTS`; none where it is no dossier.

    The document was within the limits when it came; today's may be narrower. Raises Unreadable for bytes that were
    never recorded.
    """
    root = read_document(document, signing.ParseLimits(max_bytes=len(document))).root
    family = families.of_root(str(root.tag))
    body = family.body_of(root) if family is not None and family.summary == "dossier" else None
    if body is None:
        return ()
    return tuple(islice(schemas.attachments_of(body), schemas.MOST_ATTACHMENTS))
