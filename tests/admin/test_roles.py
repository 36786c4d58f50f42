"""Who may do what, as rows; what stands in no row is denied."""

from __future__ import annotations

import pytest

from gateway.admin.roles import RIGHTS, ROLE_WORDS, Right, Role, may

ACTS = {right for right in Right if not right.value.endswith(".read")}
WHO_ACTS = {
    Right.QUEUE_ACT: {Role.OPERATOR},
    Right.AGENCIES_ACT: {Role.OPERATOR},
    Right.INCIDENTS_ACT: {Role.OPERATOR},
    Right.CERTIFICATES_ACT: {Role.CERTIFICATE_ADMIN},
    Right.CERTIFICATES_APPROVE: {Role.CERTIFICATE_ADMIN},
    Right.PROVIDERS_ACT: {Role.CERTIFICATE_ADMIN},
    Right.PEOPLE_ACT: {Role.CERTIFICATE_ADMIN},
}


@pytest.mark.parametrize("role", Role)
def test_a_role_has_the_acts_of_its_row_and_no_others(role: Role) -> None:
    assert set(WHO_ACTS) == ACTS
    assert {right for right in ACTS if may([role], right)} == {
        r for r, who in WHO_ACTS.items() if role in who
    }


def test_the_audit_record_is_the_auditors_alone_and_filings_are_not_for_who_changes_certificates() -> None:
    assert [role for role in Role if may([role], Right.AUDIT_READ)] == [Role.AUDITOR]
    for right in (Right.FILING_READ, Right.QUEUE_READ, Right.DEADLINES_READ):
        assert not may([Role.CERTIFICATE_ADMIN], right)


def test_no_role_gives_nothing_and_several_give_what_each_gives() -> None:
    assert not any(may([], right) for right in Right)
    both = [Role.OPERATOR, Role.AUDITOR]
    assert {right for right in Right if may(both, right)} == RIGHTS[Role.OPERATOR] | RIGHTS[Role.AUDITOR]


def test_every_role_has_its_rights_and_its_words() -> None:
    assert set(RIGHTS) == set(ROLE_WORDS) == set(Role)
