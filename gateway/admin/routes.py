"""Every route of the administrators' door, and the right that it needs: one table, and nothing else is served."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.admin import api
from gateway.admin.call import Handler
from gateway.admin.roles import Right


@dataclass(frozen=True, slots=True)
class AdminRoute:
    """`right` None: any administrator."""

    method: str
    path: str
    right: Right | None
    handler: Handler


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
    AdminRoute("GET", "/admin/v1/audit", Right.AUDIT_READ, api.audit_list),
)
ROUTES = API_ROUTES
