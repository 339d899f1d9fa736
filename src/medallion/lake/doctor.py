"""What must be right of a lake in an object store before a run can work on it."""

from __future__ import annotations

from medallion.errors import MedallionError, PointerError
from medallion.lake.published import CHOOSE, Published
from medallion.storage.doctor import Diagnosis

_ABOUT = "lake pointer"


def pointer_diagnosis(published: Published) -> Diagnosis:
    """Whether the pointer names a state that is there; nothing is changed."""
    try:
        pointer, _ = published.pointer()
        is_there = pointer and next(published.storage.listed(pointer.manifest), None)
        others = not is_there and published.states()
    except PointerError as error:
        return Diagnosis(_ABOUT, "failed", error.message, error.hint)
    except MedallionError as error:
        return Diagnosis(_ABOUT, "unknown", error.message, error.hint)
    if pointer:
        if is_there:
            return Diagnosis(_ABOUT, "ok", f"run {pointer.run_id} is current")
        return Diagnosis(_ABOUT, "failed", published.without_state(pointer), CHOOSE)
    if not others:
        return Diagnosis(_ABOUT, "ok", "nothing has been published yet")
    return Diagnosis(
        _ABOUT,
        "warning",
        published.without_state(None),
        f"{CHOOSE} Without that, the next run makes everything again.",
    )
