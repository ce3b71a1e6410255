"""What every journey needs: the product, the outside world and a worker, over real HTTP."""

from tests.over_http import demo, kisima, outside, worker, worker_thread

__all__ = ["demo", "kisima", "outside", "worker", "worker_thread"]
