"""Which of our own people want to be mailed about outages and about what is ours to mend."""

from __future__ import annotations

from portal.incidents.models import StaffSubscription
from portal.members.models import User


def is_subscribed(user: User) -> bool:
    return user.is_staff and StaffSubscription.objects.filter(user_id=user.pk).exists()


def subscribe(user: User) -> None:
    StaffSubscription.objects.get_or_create(user_id=user.pk)


def end(user_id: int) -> None:
    StaffSubscription.objects.filter(user_id=user_id).delete()
