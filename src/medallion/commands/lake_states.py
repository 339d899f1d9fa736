"""The states of a lake for commands, wherever it is: in an object store or on a disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from kedro.framework.session import KedroSession

from medallion import terminal

if TYPE_CHECKING:
    from medallion.lake.history import Garbage
    from medallion.lake.states import States
    from medallion.lake.store import Lake
    from medallion.storage.layout import Layout

#: Said where marts are made of another state than the lake's.
STALE_MARTS = (
    "The marts of Gold show another state; the next `kedro run` builds them from what the lake "
    "holds then."
)


@dataclass(frozen=True)
class LakeWithStates:
    """A lake, and what commands do with its states.

    Attributes:
        states: The states.
        alone: Keeps runs away while a command, whose name is given, changes the lake.
        changing: Gives the states to somebody who changes which one is current, and why.
        find_garbage: Finds what can be deleted.
        delete: Deletes it.
        show: Lets the warehouse show what is current, if there is one; what is loaded into it, if
            that is wanted, and it is asked for where nobody has said it.
        when_freed: Says when the place of what is deleted is free.
        is_on_a_disk: Whether the lake is on a disk.
        spec: The path of `spec.yml`.
    """

    states: States
    alone: Callable[[str], AbstractContextManager[str]]
    changing: Callable[[str], AbstractContextManager[States]]
    find_garbage: Callable[..., Garbage]
    delete: Callable[[Garbage], None]
    show: Callable[[bool | None], None]
    when_freed: Callable[[], str]
    is_on_a_disk: bool
    spec: str


@contextmanager
def in_environment(env: str | None) -> Iterator[tuple[KedroSession, Layout, Mapping[str, Any]]]:
    """A session, where things are in its environment, and what its globals say."""
    from medallion.storage.layout import Layout

    session = KedroSession.create(env=env)
    with session:
        places = session._get_config_loader()["globals"]  # noqa: SLF001
        yield session, Layout.of(places), places


@contextmanager
def open_lake(env: str | None) -> Iterator[LakeWithStates]:
    """The lake of an environment."""
    with in_environment(env) as (session, layout, places):
        opened = _in_a_store if "silver" in layout.stores else _on_a_disk
        yield opened(session, layout, places)


def _in_a_store(_: KedroSession, layout: Layout, places: Mapping[str, Any]) -> LakeWithStates:
    from medallion.commands.warehouse import reload_warehouse
    from medallion.hooks.guard import working_copy
    from medallion.lake import history
    from medallion.lake.published import Published
    from medallion.lake.store import Lake
    from medallion.runs.lifecycle import alone
    from medallion.storage.doctor import when_freed

    lake = Lake(layout.silver)
    lake.state.source = working_copy(layout)
    published = Published.at(layout.stores["silver"], layout.published)

    return LakeWithStates(
        states=published,
        alone=lambda command: alone(lake, layout.processes, f"lake-{command}", layout),
        changing=lambda _: nullcontext(published),
        find_garbage=_sparing(lake, layout, partial(history.find_garbage, published)),
        delete=partial(history.delete, published),
        show=partial(reload_warehouse, places, published),
        when_freed=lambda: when_freed(published.storage.root, datetime.now(UTC).date()),
        is_on_a_disk=False,
        spec=str(places["spec"]),
    )


def _on_a_disk(session: KedroSession, layout: Layout, places: Mapping[str, Any]) -> LakeWithStates:
    from medallion.lake.disk_states import DiskStates
    from medallion.lake.store import Lake
    from medallion.runs.lifecycle import alone

    context = session.load_context()
    lake = Lake(layout.silver)
    # What stands is looked at once, however often a command asks.
    lake.state.hold()
    states = DiskStates(lake)

    return LakeWithStates(
        states=states,
        alone=lambda command: alone(lake, layout.processes, f"lake-{command}", layout),
        changing=partial(_recorded, context, lake),
        find_garbage=_sparing(lake, layout, states.find_garbage),
        delete=states.delete,
        show=partial(_show, context),
        when_freed=lambda: "Its place on the disk is free.",
        is_on_a_disk=True,
        spec=str(places["spec"]),
    )


def _sparing(lake: Lake, layout: Layout, find: Callable[..., Garbage]) -> Callable[..., Garbage]:
    """Finds what can be deleted, and spares what the run that holds the lake has made."""
    from medallion.runs.lifecycle import holder

    return lambda **kept: find(living=[holder(lake, layout.processes)], **kept)


@contextmanager
def _recorded(context: Any, lake: Lake, what: str) -> Iterator[States]:
    """The states of a lake on a disk, and an audit record of what becomes of them."""
    from medallion.hooks.commanded import recorded
    from medallion.lake.disk_states import DiskStates

    with recorded(context, "rollback", what) as run_id:
        yield DiskStates(lake, run_id)


def _show(context: Any, _: bool | None) -> None:
    """Lets the views of the warehouse show the lake as it is, and says if marts do not."""
    from medallion.pipelines.gold.nodes import are_stale
    from medallion.pipelines.warehouse.nodes import shown

    catalog = context.catalog
    spec, lake, warehouse = (catalog.load(name) for name in ("spec", "lake", "warehouse.file"))
    if warehouse.made_from("views"):
        catalog.save("warehouse.views", shown(spec, lake, catalog.load("audit.trail")))
    if are_stale(spec, lake, warehouse.made_from("gold")):
        terminal.out(soft_wrap=True).print(STALE_MARTS)
