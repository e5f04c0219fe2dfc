"""The exceptions of vibench.

::

    UserError              what a user can fix; printed as one sentence, exit status 2
    ├── InputError         a file, folder, option or protocol that cannot be used as given
    └── MissingResource    weights, data or a package that is not on this machine

Where vibench's own parts call each other wrongly, they raise a plain ``ValueError``.
"""


class UserError(Exception):
    """Something the user can fix: one sentence with the offending value and what would be right."""


class InputError(UserError):
    """A file, folder, option or protocol that cannot be used as it was given."""


class MissingResource(UserError):
    """Weights, data or a package that this machine does not have."""
