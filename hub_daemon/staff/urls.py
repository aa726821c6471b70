"""Every address of the staff page. All need a login except those marked in the views (a test enumerates them)."""

from django.urls import path, register_converter

from hub_daemon.staff import account_views, admin_views, media, views


class ItemId:
    """64 hex digits as the item's 32 bytes."""

    regex = "[0-9a-f]{64}"

    def to_python(self, value: str) -> bytes:
        return bytes.fromhex(value)

    def to_url(self, value: bytes) -> str:
        return bytes(value).hex()


register_converter(ItemId, "item")

handler400 = "hub_daemon.staff.views.bad_request"
handler403 = "hub_daemon.staff.views.forbidden"
handler404 = "hub_daemon.staff.views.not_found"
handler500 = "hub_daemon.staff.views.broken"

urlpatterns = [
    path("login", views.login_page, name="login"),
    path("logout", views.logout_page, name="logout"),
    path("static/<path:name>", media.static_file, name="static"),
    path("", views.start, name="start"),
    path("deal", views.deal, name="deal"),
    path("queue", views.queue_page, name="queue"),
    path("item/<item:item>", views.item_page, name="item"),
    path("item/<item:item>/approve", views.approve, name="approve"),
    path("item/<item:item>/return", views.answer, {"event": "return"}, name="return"),
    path("item/<item:item>/reject", views.answer, {"event": "reject"}, name="reject"),
    path("item/<item:item>/recall", views.answer, {"event": "recall"}, name="recall"),
    path("item/<item:item>/release", views.release, name="release"),
    path("item/<item:item>/renew", views.renew, name="renew"),
    path("item/<item:item>/safeguard", views.safeguard, name="safeguard"),
    path("item/<item:item>/<str:role>", media.item_media, name="media"),
    path("alerts/<int:number>/<str:act>", views.alert, name="alert"),
    path("bays", views.bays, name="bays"),
    path("history", views.history, name="history"),
    path("log", views.log_page, name="log"),
    path("account", account_views.account, name="account"),
    path("account/code/<str:act>", account_views.code, name="code"),
    path("account/pass-phrase", account_views.pass_phrase, name="pass_phrase"),
    path("people", admin_views.people_page, name="people"),
    path("people/staff", admin_views.add_staff, name="add_staff"),
    path("people/learner", admin_views.add_learner, name="add_learner"),
    path("people/group", admin_views.change_group, name="change_group"),
    path("people/change/<int:number>/<str:act>", admin_views.change, name="change"),
    path("enrol", admin_views.enrol, name="enrol"),
    path("enrol/open", admin_views.open_window, name="open_window"),
    path("enrol/<int:number>/<str:act>", admin_views.enrol_act, name="enrol_act"),
]
