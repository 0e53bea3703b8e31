"""Charts of a training run: what each epoch reached on dev, and what batches had to teach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemel.figures import share
from gemel.release.run import Training
from gemel.watch.charts.drawing import IMPOSTOR, LIMIT, OTHER, OURS, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def reached(training: Training) -> str:
    """The dev metric of each epoch, with the one that was kept and what no training gives."""
    history, best = training.history, training.best

    def draw(axes: Axes) -> None:
        axes.plot([e.epoch for e in history], [e.metric for e in history], color=OURS)
        axes.plot([best.epoch], [best.metric], "o", color=OURS, label=f"kept: {share(best.metric)}")
        untrained = f"untrained: {share(history[0].metric)}"
        axes.axhline(history[0].metric, color=LIMIT, linewidth=1, linestyle="--", label=untrained)
        _by_epoch(axes)
        axes.set_ylabel(f"{training.measure} on dev")
        axes.legend(loc="best")

    return svg("reached", draw, "The dev metric by epoch")


def taught(training: Training) -> str:
    """Loss, and the share of negatives that were still near, of each epoch."""
    learned = [e for e in training.history if e.loss is not None]

    def draw(axes: Axes) -> None:
        epochs = [e.epoch for e in learned]
        lines = axes.plot(epochs, [e.loss or 0.0 for e in learned], color=OTHER, label="loss")
        axes.set_ylim(bottom=0)
        _by_epoch(axes)
        axes.set_ylabel("loss")
        seen = [e for e in learned if e.batches is not None]
        if seen:
            beside = axes.twinx()
            active = [100 * e.batches.active for e in seen if e.batches is not None]
            where = [e.epoch for e in seen]
            lines += beside.plot(where, active, ":", color=IMPOSTOR, label="active negatives")
            beside.set_ylim(0, max(1.0, *active) * 1.05)
            beside.set_ylabel("active negatives, %")
            beside.grid(visible=False)
        axes.legend(lines, [str(line.get_label()) for line in lines], loc="best")

    return svg("taught", draw, "Loss and active negatives by epoch")


def _by_epoch(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
