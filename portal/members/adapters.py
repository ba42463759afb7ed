"""How the portal differs from allauth's defaults: people come by invitation only, and TOTP seeds are sealed."""

from __future__ import annotations

import base64
import uuid

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest

from connections.vault.sealing import Place, seal_for_web, unseal_for_web
from connections.vault.secret import Secret

SEED = Place("mfa_authenticator", uuid.UUID(int=0), "secret")


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up uninvited."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class MFAAdapter(DefaultMFAAdapter):
    """Seals seeds and recovery codes with the web class: the web process must read them to check a code."""

    def encrypt(self, text: str) -> str:
        return base64.b64encode(seal_for_web(SEED, Secret(text))).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return unseal_for_web(SEED, base64.b64decode(encrypted_text)).reveal()
