"""What a provider wants to see of us, measured from our own traffic: boards, and reports that anybody can compute again."""
