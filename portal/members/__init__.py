"""People: users who sign in by e-mail, their memberships and invitations."""
