"""Every route of the administrators' door, and the right that it needs: one table, and nothing else is served."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.admin import api, certificates_api, people_api
from gateway.admin.call import Handler
from gateway.admin.console import acts, certificates, pages, people
from gateway.admin.roles import Right


@dataclass(frozen=True, slots=True)
class AdminRoute:
    """`right` None: any administrator."""

    method: str
    path: str
    right: Right | None
    handler: Handler

    @property
    def is_page(self) -> bool:
        """Whether people read its answers, and its errors."""
        return not self.path.startswith("/admin/")


API_ROUTES = (
    AdminRoute("GET", "/admin/v1/me", None, api.me),
    AdminRoute("GET", "/admin/v1/queue", Right.QUEUE_READ, api.queue_list),
    AdminRoute("POST", "/admin/v1/queue/{act}", Right.QUEUE_ACT, api.queue_act),
    AdminRoute("GET", "/admin/v1/deadlines", Right.DEADLINES_READ, api.deadlines_list),
    AdminRoute("GET", "/admin/v1/agencies", Right.AGENCIES_READ, api.agencies_list),
    AdminRoute("POST", "/admin/v1/agencies/{agency}/{act}", Right.AGENCIES_ACT, api.agency_act),
    AdminRoute("GET", "/admin/v1/incidents", Right.INCIDENTS_READ, api.incidents_list),
    AdminRoute("POST", "/admin/v1/incidents", Right.INCIDENTS_ACT, api.incident_declare),
    AdminRoute("POST", "/admin/v1/incidents/{id}/end", Right.INCIDENTS_ACT, api.incident_end),
    AdminRoute("GET", "/admin/v1/filings", Right.FILING_READ, api.filings_search),
    AdminRoute("GET", "/admin/v1/filings/{number}", Right.FILING_READ, api.filing_story),
    AdminRoute("GET", "/admin/v1/certificates", Right.CERTIFICATES_READ, certificates_api.entries_list),
    AdminRoute("GET", "/admin/v1/certificates/plan", Right.CERTIFICATES_READ, certificates_api.plan),
    AdminRoute(
        "POST", "/admin/v1/certificates/{id}/approve", Right.CERTIFICATES_APPROVE, certificates_api.approve
    ),
    AdminRoute("POST", "/admin/v1/certificates/{id}/{act}", Right.CERTIFICATES_ACT, certificates_api.act),
    AdminRoute("GET", "/admin/v1/providers", Right.PROVIDERS_READ, certificates_api.providers_list),
    AdminRoute("POST", "/admin/v1/providers/{id}/{act}", Right.PROVIDERS_ACT, certificates_api.provider_act),
    AdminRoute("GET", "/admin/v1/people", Right.PEOPLE_READ, people_api.people_list),
    AdminRoute("POST", "/admin/v1/people/{name}/{act}", Right.PEOPLE_ACT, people_api.person_act),
    AdminRoute("GET", "/admin/v1/audit", Right.AUDIT_READ, api.audit_list),
)
PAGE_ROUTES = tuple(
    AdminRoute(method, path, right, handler)
    for method, path, right, handler in (
        ("GET", "/", None, pages.root),
        ("GET", "/console", None, pages.overview),
        ("GET", "/console/static/{file}", None, pages.static),
        ("GET", "/console/queue", Right.QUEUE_READ, pages.waiting),
        ("POST", "/console/queue/{act}", Right.QUEUE_ACT, acts.act),
        ("GET", "/console/deadlines", Right.DEADLINES_READ, pages.terms),
        ("GET", "/console/agencies", Right.AGENCIES_READ, pages.health),
        ("POST", "/console/agencies/{agency}/{act}", Right.AGENCIES_ACT, acts.agency),
        ("GET", "/console/incidents", Right.INCIDENTS_READ, pages.outages),
        ("POST", "/console/incidents", Right.INCIDENTS_ACT, acts.declare),
        ("POST", "/console/incidents/{id}/end", Right.INCIDENTS_ACT, acts.end),
        ("GET", "/console/filings", Right.FILING_READ, pages.search),
        ("GET", "/console/filings/{number}", Right.FILING_READ, pages.filing),
        ("GET", "/console/certificates", Right.CERTIFICATES_READ, certificates.register),
        ("GET", "/console/certificates/{id}", Right.CERTIFICATES_READ, certificates.entry),
        ("POST", "/console/certificates/{id}/approve", Right.CERTIFICATES_APPROVE, certificates.approve),
        ("POST", "/console/certificates/{id}/{act}", Right.CERTIFICATES_ACT, certificates.act),
        ("GET", "/console/providers", Right.PROVIDERS_READ, certificates.providers),
        ("POST", "/console/providers/{id}/{act}", Right.PROVIDERS_ACT, certificates.provider_act),
        ("GET", "/console/people", Right.PEOPLE_READ, people.people),
        ("POST", "/console/people/{name}/{act}", Right.PEOPLE_ACT, people.act),
        ("GET", "/console/audit", Right.AUDIT_READ, pages.record),
        ("GET", "/console/{other:.+}", None, pages.nowhere),
    )
)
ROUTES = (*API_ROUTES, *PAGE_ROUTES)
