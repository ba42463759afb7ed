"""`{% lucide %}` as its package has it, but each icon is written once: the package copies and writes a tree each time.

settings.py names this library in place of the package's.
"""

from __future__ import annotations

from functools import lru_cache

from django import template
from django.template import Context
from django.utils.safestring import SafeString, mark_safe
from lucide.templatetags.lucide import lucide as written

register = template.Library()


@register.simple_tag
@lru_cache(maxsize=1000)
def lucide(name: str, *, size: int = 24, **attributes: str) -> SafeString:
    """Raises IconDoesNotExist."""
    return mark_safe(written(Context(), name, size=size, **attributes))  # noqa: S308  # nosec B308 B703  (from templates alone)
