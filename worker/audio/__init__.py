"""Long recordings: decoded, cut in their pauses, and their pieces' texts put together again.

In the order in which it happens: decode, levels, plan, split, encode; words, stitch, cues, write. It knows
nothing of jobs. Positions in sound are in samples at 16 kHz, times in seconds from the recording's start.
"""
