"""The plain-HTTP side for people: the index of simulators, and the pages and the control API that all of them have."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as Answer

from connections.sandbox.kit import Kit, Running, Simulator
from connections.sandbox.kit.faults import WrongFault
from connections.sandbox.kit.switches import STANDINGS, UnknownSwitch

LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}


def site(opened: Mapping[str, tuple[Simulator, Kit, Running]]) -> Flask:
    """The whole site; each simulator's pages stand under `/<slug>/`."""
    app = Flask("connections.sandbox", static_folder="static", template_folder="templates")
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.add_template_filter(clock_time)
    app.before_request(refuse_strangers)
    app.after_request(keep_private)
    for slug, (simulator, kit, running) in opened.items():
        pages = running.pages
        add_shared_pages(pages, simulator, kit)
        add_control(pages, kit, running)
        app.register_blueprint(pages, url_prefix=f"/{slug}")

    @app.get("/")
    def index() -> str:
        return render_template("index.html", simulators=[simulator for simulator, _, _ in opened.values()])

    @app.errorhandler(404)
    def missing(_: Exception) -> tuple[str, int]:
        return render_template("missing.html"), 404

    return app


def clock_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def refuse_strangers() -> None:
    """A foreign web page must not drive the simulator through the reader's browser."""
    if (urlsplit(f"//{request.host}").hostname or "") not in LOOPBACK_NAMES:
        abort(403, "The sandbox answers to localhost only.")
    origin = request.headers.get("Origin")
    if request.method == "POST" and origin is not None and origin != f"http://{request.host}":
        abort(403, "This form was sent from another site.")


def keep_private(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    # A consent page that sends the browser back to its client sets a policy of its own: browsers hold `form-action`
    # against the redirect that follows a form.
    response.headers.setdefault(
        "Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'"
    )
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def add_shared_pages(pages: Blueprint, simulator: Simulator, kit: Kit) -> None:
    """`calls` and `switches`, the same for every simulator, inside the simulator's own layout."""
    layout = f"{simulator.slug}/layout.html"

    @pages.get("/calls")
    def calls() -> Answer:
        live = "live" in request.args
        newest, counters = kit.call_log.newest(), kit.call_log.counters()
        page = render_template(
            "calls.html", layout=layout, live=live, calls=newest, counters=counters, simulator=simulator
        )
        # Only for somebody who pressed "Follow"; a header, as pages here have no script.
        return Response(page, headers={"Refresh": "3"} if live else {})

    @pages.route("/switches", methods=["GET", "POST"])
    def switches() -> str | Answer:
        if request.method == "POST":
            positions = {name: request.form[name] for name in kit.switches.table if name in request.form}
            kit.switches.flip(positions)
            return redirect(url_for(".switches", saved="yes", company=request.args.get("company")))
        return render_template(
            "switches.html",
            layout=layout,
            table=kit.switches.table.values(),
            positions=kit.switches.positions(),
            standings=STANDINGS,
            simulator=simulator,
            saved="saved" in request.args,
        )


def add_control(pages: Blueprint, kit: Kit, running: Running) -> None:
    """The control API for tests: JSON in, JSON out, loopback only."""

    def state() -> dict[str, Any]:
        return {
            **kit.call_log.counters(),
            "clock_offset_seconds": kit.clock.offset_seconds,
            "now": kit.clock.instant().isoformat(),
            "switches": kit.switches.positions(),
            "faults": kit.faults.waiting(),
            **running.state(),
        }

    @pages.get("/control/state")
    def control_state() -> dict[str, Any]:
        return state()

    @pages.post("/control/clock")
    def control_clock() -> dict[str, Any]:
        kit.clock.move(required_field(required_object(), "offset_seconds", int, float))
        return state()

    @pages.get("/control/switches")
    def control_list_switches() -> dict[str, Any]:
        return {"switches": kit.switches.descriptions()}

    @pages.post("/control/switches")
    def control_switches() -> dict[str, Any]:
        kit.switches.flip(required_object())
        return state()

    @pages.post("/control/faults")
    def control_faults() -> dict[str, Any]:
        faults = request.get_json(force=True)
        if not isinstance(faults, list):
            msg = "faults come as a list"
            raise WrongFault(msg)
        kit.faults.replace(faults)
        return state()

    @pages.post("/control/reset-counters")
    def control_reset_counters() -> dict[str, Any]:
        kit.call_log.reset()
        return state()

    copies: dict[str, sqlite3.Connection] = {}

    @pages.post("/control/keep")
    def control_keep() -> dict[str, Any]:
        """Remember who was let in, rights, settings, switches and clock; records and certificates are not part of it."""
        copies["newest"] = kit.store.copy()
        return state()

    @pages.post("/control/bring-back")
    def control_bring_back() -> dict[str, Any]:
        """All of it as it was when it was kept, and no fault waits any more. Records must not have been changed meanwhile."""
        if "newest" not in copies:
            msg = "nothing was kept"
            raise WrongOrder(msg)
        kit.faults.replace([])
        kit.store.bring_back(copies["newest"])
        kit.clock.move(kit.store.get("clock_offset_seconds", 0.0))
        kit.switches.flip(kit.switches.stored_positions())
        return state()

    @pages.post("/control/reset")
    def control_reset() -> dict[str, Any]:
        kit.faults.replace([])
        kit.clock.move(0)
        kit.switches.reset()
        running.reset()
        kit.call_log.reset()
        return state()

    @pages.errorhandler(UnknownSwitch)
    @pages.errorhandler(WrongFault)
    @pages.errorhandler(WrongOrder)
    def misunderstood(error: Exception) -> tuple[dict[str, str], int]:
        return {"error": str(error)}, 400


class WrongOrder(ValueError):
    """The control API was asked something it cannot do; the text says what."""


def required_object() -> dict[str, Any]:
    """The JSON object of a control request. Raises WrongOrder."""
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        msg = "a JSON object is needed"
        raise WrongOrder(msg)
    return body


def required_field(body: Mapping[str, Any], name: str, *kinds: type) -> Any:
    """A field a control request must have, of one of these types. Raises WrongOrder."""
    value = body.get(name)
    if not isinstance(value, kinds):
        msg = f"{name} is needed, as {' or '.join(kind.__name__ for kind in kinds)}"
        raise WrongOrder(msg)
    return value
