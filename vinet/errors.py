"""What a user of VINet can fix: one sentence, printed without a traceback."""


class UserError(Exception):
    """A file or an option that cannot be used as given, and what would be right."""
