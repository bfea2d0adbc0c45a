"""``python -m tagtray``: the command line."""

from __future__ import annotations

from tagtray.cli.main import main

if __name__ == "__main__":
    main()
