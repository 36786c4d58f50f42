"""The catalogue of forms: schemas, rules and faults of declarations, and the notices that answer them (README.md)."""

from schemas.catalogue import Catalogue, CatalogueError, load_catalogue
from schemas.declaration import Declaration, Party, read_declaration
from schemas.examine import Examination
from schemas.examples import EXAMPLE_NAME, EXAMPLE_TAX_CODE, example_declaration
from schemas.faults import Fault, Severity
from schemas.forms import Form
from schemas.period import Period
from schemas.taxcode import judge_tax_code

__all__ = [
    "EXAMPLE_NAME",
    "EXAMPLE_TAX_CODE",
    "Catalogue",
    "CatalogueError",
    "Declaration",
    "Examination",
    "Fault",
    "Form",
    "Party",
    "Period",
    "Severity",
    "example_declaration",
    "judge_tax_code",
    "load_catalogue",
    "read_declaration",
]
