"""The customer's pages to try single requests, and to say what became of one whose answer was lost."""
