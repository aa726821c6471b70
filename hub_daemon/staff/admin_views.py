"""Browser -> here -> people and enrolment: who belongs to the wing. Every change takes two administrators."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST

from hub_daemon import people
from hub_daemon.people import ChangeRefused, PersonRefused, WeakPassPhrase
from hub_daemon.staff import context
from hub_daemon.staff.views import needs
from protocol.errors import Refusal
from protocol.records import roster as record


def field(request: HttpRequest, name: str, most: int = 96) -> str:
    return request.POST.get(name, "").strip()[:most]


@require_GET
def people_page(request: HttpRequest) -> HttpResponse:
    return _people(request)


def _people(request: HttpRequest, error: str = "", status: int = 200) -> HttpResponse:
    hub = context.get()
    roster = hub.moderation.roster()
    on_roster = {member.person for member in roster.staff}
    values: dict[str, Any] = {
        "roster": roster,
        "staff": sorted(roster.staff, key=lambda one: one.name),
        "accounts": [(one, works) for one, works in hub.people.everybody() if one.person not in on_roster],
        "proposals": hub.people.proposals(),
        "roles_known": record.ROLES,
        "error": error,
        "typed": request.POST,
    }
    return render(request, "staff/people.html", values, status=status)


@require_POST
@needs("administrator")
@sensitive_post_parameters("pass_phrase")
def add_staff(request: HttpRequest) -> HttpResponse:
    """An account with its pass phrase, typed by its owner; and the roster change that another administrator signs."""
    hub = context.get()
    person, name, phrase = field(request, "person", 32), field(request, "name"), request.POST.get("pass_phrase", "")
    roles = tuple(role for role in record.ROLES if role in request.POST.getlist("roles"))
    try:
        if phrase != request.POST.get("pass_phrase_again", ""):
            raise WeakPassPhrase("The two pass phrases are not the same")
        validate_password(phrase)
        public = hub.people.create(person, name, roles, phrase)
        entry = people.staff_of(person, name, public, roles, hub.moderation.clock() // 1000)
        hub.people.propose(request.signer, people.with_staff(entry), f"add {person}: {', '.join(roles)}")
    except ValidationError as error:
        return _people(request, " ".join(error.messages), 400)
    except (WeakPassPhrase, PersonRefused, ChangeRefused) as error:
        return _people(request, str(error), 400)
    messages.success(request, f"{name} is proposed. Another administrator has to sign it.")
    return redirect("people")


@require_POST
@needs("administrator")
def add_learner(request: HttpRequest) -> HttpResponse:
    hub = context.get()
    learner, name = field(request, "learner", 32), field(request, "name")
    groups = tuple(group.id for group in hub.moderation.roster().groups if group.id in request.POST.getlist("groups"))
    try:
        hub.people.propose(request.signer, people.with_learner(learner, name, groups), f"learner {learner}")
    except Refusal as error:
        return _people(request, str(error), 400)
    messages.success(request, f"{name} is proposed. Another administrator has to sign it.")
    return redirect("people")


@require_POST
@needs("administrator")
def change_group(request: HttpRequest) -> HttpResponse:
    hub = context.get()
    group, name = field(request, "group", 32), field(request, "name")
    roster = hub.moderation.roster()
    members = tuple(one.id for one in roster.learners if one.id in request.POST.getlist("members"))
    try:
        hub.people.propose(request.signer, people.with_group(group, name, members), f"group {group}")
    except Refusal as error:
        return _people(request, str(error), 400)
    messages.success(request, f"{name} is proposed. Another administrator has to sign it.")
    return redirect("people")


@require_POST
@needs("administrator")
def change(request: HttpRequest, number: int, act: str) -> HttpResponse:
    """Sign or refuse a proposed change of the roster."""
    hub = context.get()
    try:
        if act == "sign":
            made = hub.people.countersign(number, request.signer)
            messages.success(request, f"Signed. Roster {made.version} is in force.")
        elif act == "refuse":
            hub.people.refuse(number, request.signer.person)
            messages.info(request, "The change is refused. Nothing changed.")
        else:
            raise Http404
    except ChangeRefused as error:
        return _people(request, str(error), 409)
    return redirect("people")


# enrolment


@require_GET
@needs("administrator")
def enrol(request: HttpRequest) -> HttpResponse:
    """Open a window, compare six digits, confirm; a second administrator countersigns."""
    hub = context.get()
    values = {
        "pending": hub.enrolment.pending(),
        "bays": hub.bays(),
        "learners": hub.moderation.roster().learners,
    }
    return render(request, "staff/enrol.html", values)


@require_POST
@needs("administrator")
def open_window(request: HttpRequest) -> HttpResponse:
    hub = context.get()
    try:
        hub.enrolment.open_window(field(request, "bay", 64), field(request, "learner", 32), request.signer.person)
    except Refusal as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, "The window is open. Let the learner plug the new device into this bay.")
    return redirect("enrol")


@require_POST
@needs("administrator")
def enrol_act(request: HttpRequest, number: int, act: str) -> HttpResponse:
    hub = context.get()
    try:
        if act == "confirm":
            hub.enrolment.confirm(number, request.signer)
            messages.success(request, "Confirmed. Another administrator has to countersign.")
        elif act == "countersign":
            hub.enrolment.countersign(number, request.signer)
            messages.success(request, "Countersigned. The device gets its certificate.")
        elif act == "refuse" and hasattr(hub.enrolment, "refuse"):
            hub.enrolment.refuse(number, request.signer.person)
            messages.info(request, "Refused. The device gets nothing.")
        else:
            raise Http404
    except Refusal as error:
        messages.warning(request, str(error))
    return redirect("enrol")
