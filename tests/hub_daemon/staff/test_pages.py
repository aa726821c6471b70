"""The staff page in real Chromium."""

from __future__ import annotations


def test_a_moderator_signs_in_is_dealt_an_item_and_approves_it(wing, desk):
    wing.acquaint()
    item = wing.post("Hello from cell 4")
    one = desk("ann")
    one.page.click("#deal")
    assert one.page.get_attribute("#item", "data-item") == item.hex()
    assert "Hello from cell 4" in one.page.inner_text("#text")
    one.page.click("#approve")
    one.page.wait_for_url(one.url + "/")
    assert "Approved" in one.page.inner_text("body")
    assert wing.changed == [item]
    assert one.violations == []
