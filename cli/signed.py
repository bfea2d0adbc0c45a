"""Commands whose words may begin with a minus: ``-wolf`` is a word and no option; options have two dashes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from typer.core import TyperCommand

if TYPE_CHECKING:
    from typer._click import Context


class SignedWords(TyperCommand):
    """A command that reads such words."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read on past what looks like a short option; a long one that is none is refused as ever."""
        known = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        given = itertools.takewhile(lambda arg: arg != "--", args)
        unknown = (arg for arg in given if arg.startswith("--") and arg.partition("=")[0] not in known)
        if (wrong := next(unknown, None)) is not None:
            return super().parse_args(ctx, [wrong])
        ctx.ignore_unknown_options = True
        return super().parse_args(ctx, args)
