"""The page of a person's sessions: allauth's, with its list from a fixed number of queries."""

from __future__ import annotations

from typing import Any

from allauth.usersessions.views import ListUserSessionsView

from portal.members.sessions import sessions_of


class SessionsView(ListUserSessionsView):
    """allauth asks for each session by itself."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        sessions = sessions_of(self.request.user)
        context: dict[str, Any] = super(ListUserSessionsView, self).get_context_data(**kwargs)
        return {**context, "sessions": sessions, "session_count": len(sessions), "show_last_seen_at": True}
