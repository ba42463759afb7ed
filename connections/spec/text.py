"""Words for people: a sentence, or one that is translated when it is shown."""

from __future__ import annotations

from django.utils.functional import Promise

Text = str | Promise
