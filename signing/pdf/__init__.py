"""Signatures in PDF files: read in a confined process, judged as CMS, with what was changed after each."""

from signing.pdf.verify import verify_pdf

__all__ = ["verify_pdf"]
