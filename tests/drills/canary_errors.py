"""All that an exception has to say, in words of its own and in those of Django's reporter."""

from __future__ import annotations

import traceback


def text_of(error: BaseException | None) -> str:
    """Of it and of those behind it, even what a traceback would leave out."""
    seen: list[str] = []
    while error is not None:
        seen += traceback.format_exception(error, chain=False)
        seen.append(repr(error) + repr(error.args) + repr(vars(error)))
        error = error.__cause__ or error.__context__
    return "".join(seen)


def reported(error: BaseException) -> str:
    """As a mail to admins has it; Django's own reporter would tell of local variables, too."""
    from portal.operations.reports import Report

    report = Report(None, type(error), error, error.__traceback__)
    return str(report.get_traceback_text() + report.get_traceback_html())
