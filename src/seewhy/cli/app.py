"""`seewhy`: explain photos from the command line.  Nothing heavy is imported before it is needed.

What is imported inside functions is imported when the command runs, so that `--help` is quick.
"""

import sys
import warnings
from typing import Any

import click

from seewhy import __version__
from seewhy.cli.commands.activations import activations
from seewhy.cli.commands.attention import attention
from seewhy.cli.commands.audit import audit
from seewhy.cli.commands.compare import compare
from seewhy.cli.commands.concepts import concepts
from seewhy.cli.commands.detections import detections
from seewhy.cli.commands.diff import diff
from seewhy.cli.commands.doctor import doctor
from seewhy.cli.commands.dream import dream
from seewhy.cli.commands.drift import drift
from seewhy.cli.commands.embed import embed
from seewhy.cli.commands.evidence import evidence
from seewhy.cli.commands.explain import explain
from seewhy.cli.commands.export import export
from seewhy.cli.commands.features import features
from seewhy.cli.commands.filters import filters
from seewhy.cli.commands.game import game
from seewhy.cli.commands.invert import invert
from seewhy.cli.commands.labels import labels
from seewhy.cli.commands.listing import demo, layers, methods, metrics
from seewhy.cli.commands.localize import localize
from seewhy.cli.commands.maximize import maximize
from seewhy.cli.commands.neighbours import neighbours
from seewhy.cli.commands.report import report
from seewhy.cli.commands.run import run
from seewhy.cli.commands.sanity import sanity
from seewhy.cli.commands.segment import segment
from seewhy.cli.commands.share import share
from seewhy.cli.commands.tcav import tcav
from seewhy.cli.commands.top_photos import top_photos
from seewhy.cli.commands.trust import trust
from seewhy.cli.commands.units import units
from seewhy.cli.commands.verify import verify
from seewhy.cli.commands.written import written

from .failures import PHOTO, named
from .pipes import hold_open, output_guard
from .printing import safe_usage, say, say_traceback, say_warning


class Cli(click.Group):
    """One line per error: exit code 2 for misuse, 1 for failure, 141 where nobody reads on; a traceback only with --debug."""

    def main(self, *args: Any, **more: Any) -> Any:
        hold_open()
        return super().main(*args, **more)

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        with safe_usage(), output_guard():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        from seewhy.errors import Misuse

        usual, warnings.showwarning = warnings.showwarning, say_warning
        try:
            with safe_usage(), output_guard():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            say("seewhy: interrupted; what was written stays.", err=True)
            ctx.exit(130)
        except Exception as error:
            if ctx.params.get("debug"):
                sys.excepthook = say_traceback
                raise
            say(f"seewhy: {named(ctx.meta.get(PHOTO), error)}", err=True)
            ctx.exit(2 if isinstance(error, Misuse) else 1)
        finally:
            warnings.showwarning = usual


@click.group(cls=Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="seewhy")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Why did the image model say that, here?

    \b
    seewhy demo                                       does it look at the object, or does it cheat?
    seewhy explain cat.jpg --model torchvision/resnet50
    """


COMMANDS = (
    explain, localize, segment, evidence, audit, attention, activations, filters, doctor, trust, compare, sanity, game,
    detections, drift, verify, run, report, diff, share, labels, layers, units, maximize, export, features, tcav, top_photos,
    concepts, embed, neighbours, dream, invert, written, methods, metrics, demo,
)  # fmt: skip
for command in COMMANDS:
    main.add_command(command)
