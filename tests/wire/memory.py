"""The memory of a process and its children, as far as Linux tells."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Growth:
    """By how many bytes the peak was above the beginning: the greatest growth of any one process."""

    bytes = 0


@contextmanager
def growth(pid: int) -> Iterator[Growth]:
    """Measures the peak of the resident memory within the block; 0 on systems without /proc."""
    measured = Growth()
    processes = _tree(pid)
    for process in processes:
        Path(f"/proc/{process}/clear_refs").write_text("5")  # the peak begins anew: proc_pid_clear_refs(5)
    before = {process: _status(process, "VmRSS") for process in processes}
    yield measured
    for process in processes:
        measured.bytes = max(measured.bytes, _status(process, "VmHWM") - before[process])


def peak_bytes(pid: int) -> int:
    """The most resident memory that any one of the processes ever had; 0 on systems without /proc."""
    return max((_status(process, "VmHWM") for process in _tree(pid)), default=0)


def _tree(pid: int) -> list[int]:
    if not Path("/proc").exists():
        return []
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(process for child in children for process in _tree(int(child)))]


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
