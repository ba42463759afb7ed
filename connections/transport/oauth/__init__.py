"""OAuth: tokens are requested, stored, renewed and revoked here; people sign in at a provider and come back."""
