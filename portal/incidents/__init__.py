"""What broke, since when and until when: one incident per connection and cause, and the mails about it."""
