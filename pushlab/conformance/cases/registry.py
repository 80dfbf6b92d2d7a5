"""Which function poses which case."""

from collections.abc import Awaitable, Callable

from pushlab.conformance.case import Judgement
from pushlab.conformance.examination import Examination

Pose = Callable[[Examination], Awaitable[Judgement]]

POSES: dict[str, Pose] = {}


def poses(id: str) -> Callable[[Pose], Pose]:
    """Mark the function that poses the case with this id."""

    def register(pose: Pose) -> Pose:
        assert id not in POSES, f"two functions pose {id}"
        POSES[id] = pose
        return pose

    return register
