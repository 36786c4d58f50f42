"""The console in a real browser, by keyboard alone; more of it, with axe-core, is in tests/interop."""

from __future__ import annotations

from tests.admin.test_people_pages import desk
from tests.interop.test_console import Scene, scene
from tests.register.changing import LAN

__all__ = ["scene"]


async def test_somebody_is_suspended_by_keyboard_and_nothing_runs(scene: Scene) -> None:
    await desk(scene.house).suspend("admin-viewer", LAN)
    tab = scene.tab
    await tab.open(f"{scene.origin}/console/people?lang=vi")
    assert await tab.value("document.querySelectorAll('script, img, style').length") == 0
    assert await tab.value("document.documentElement.scrollWidth <= innerWidth")
    path = "/console/people/admin-operator/suspend"
    field = f"document.querySelector('form[action=\"{path}\"] [name=why]')"
    await tab.value(f"{field}.focus()")
    await tab.type("nghỉ phép")
    await tab.press("Tab")
    assert await tab.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert await tab.value("document.activeElement.form.action") == scene.origin + path
    tab.expect()
    await tab.press("Enter")
    await tab.loaded()
    assert await tab.value("location.pathname") == "/console/people"
    ((act, subject, detail),) = await scene.acts()
    assert (act, subject, "nghỉ phép" in detail) == ("person.suspend", "admin-operator", True)
    assert tab.complaints == []
