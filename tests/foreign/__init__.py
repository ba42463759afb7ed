"""Foreign servers: for every provider one that knows its document and nothing of ours, and differs where that leaves room.

    python -m tests.foreign --trials 200            random ones; the seed of each is printed where something is wrong
    python -m tests.foreign --seed 17               one of them again, exactly
    python -m tests.foreign --behaviour bom         trials of one behaviour alone, for every provider

They share no code with the simulators (connections/sandbox), and were written without looking at them.
"""
