"""The customer's pages of what was read: the records of a stream, and one record with its history."""
