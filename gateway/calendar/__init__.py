"""Vietnam's working days, the terms that run in them, and agencies' maintenance windows: all dated data."""

from gateway.calendar.in_time import in_time_by
from gateway.calendar.terms import OWN_CALENDAR, CalendarError, Deadlines, Milestone, load_deadlines
from gateway.calendar.windows import Window, closed_until, read_windows

__all__ = [
    "OWN_CALENDAR",
    "CalendarError",
    "Deadlines",
    "Milestone",
    "Window",
    "closed_until",
    "in_time_by",
    "load_deadlines",
    "read_windows",
]
