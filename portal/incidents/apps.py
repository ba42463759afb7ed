"""Registers the app and its jobs, and has transport say when a server or a connection is in trouble."""

from __future__ import annotations

from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    name = "portal.incidents"
    label = "incidents"

    def ready(self) -> None:
        from connections.jobs.registry import register
        from connections.transport.limits.circuit_breaker import connect_trouble
        from portal.incidents import advance_warnings, lasting, lifecycle, notices, outages

        connect_trouble(of_server=outages.server_in_trouble, of_connection=lasting.watch)
        register(lifecycle.CONNECTION_LEFT, queue="interactive", handler=lifecycle.close_left)
        register(notices.MAIL_PERSON, queue="mail", handler=notices.mail_person)
        register(lasting.LOOK_WHETHER_LASTING, queue="sync", handler=lasting.look_whether_lasting)
        register(advance_warnings.WARN, queue="mail", handler=advance_warnings.warn)
        register(lasting.REMIND, queue="mail", handler=lasting.remind)
        register(outages.TELL_TENANT, queue="mail", handler=outages.tell_tenant)
        for kind, handler in (
            (outages.WATCH_PROVIDER, outages.watch_provider),
            (outages.TELL_CUSTOMERS, outages.tell_customers),
        ):
            register(kind, queue="mail", handler=handler, tenant_required=False)
