"""Running methods: on the cases of a protocol, which are then scored, or on one video."""
