"""Programs as methods: what a method file says of one, how it is run, and what it is given and leaves."""
