"""``python -m vibench`` is the command ``vibench``."""

from vibench.cli import main

main()
