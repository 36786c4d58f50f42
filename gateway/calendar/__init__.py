"""Vietnam's working days, the terms that run in them, and agencies' maintenance windows: all dated data."""

from gateway.calendar.terms import OWN_CALENDAR, CalendarError, Deadlines, Milestone, load_deadlines
from gateway.calendar.windows import Window, closed_until, read_windows

__all__ = [
    "OWN_CALENDAR",
    "CalendarError",
    "Deadlines",
    "Milestone",
    "Window",
    "closed_until",
    "load_deadlines",
    "read_windows",
]
