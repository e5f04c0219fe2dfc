"""The machine that numbers are made on: its facts, clocks, memory and threads, and a call that is timed."""
