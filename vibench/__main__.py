"""``python -m vibench`` is the command ``vibench``."""

from vibench.cli.app import main

main()
