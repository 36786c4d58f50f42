"""A document as a person reads it: one self-contained HTML page that prints on A4, without any script."""

from schemas.view.document import NotShownError, view_page
from schemas.view.page import About, Language, Paper, PaperStanding, Remark, Signature, Standing
from schemas.view.render import CSP, ViewPage

__all__ = [
    "CSP",
    "About",
    "Language",
    "NotShownError",
    "Paper",
    "PaperStanding",
    "Remark",
    "Signature",
    "Standing",
    "ViewPage",
    "view_page",
]
