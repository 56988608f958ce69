"""What a request may cost and what it did cost: priced before the start, kept within limits, recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_sentinelhub.hooks.sentinelhub import failing_for_good
from airflow_provider_sentinelhub.operators.life import WholeLifeOperator
from airflow_provider_sentinelhub.operators.memory import TaskMemory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from airflow_provider_sentinelhub.client.models import BatchRequest
    from airflow_provider_sentinelhub.client.price import Estimate, Level
    from airflow_provider_sentinelhub.hooks.budgets import Budget

_METRIC = "sentinelhub.batch"


class PayingOperator(WholeLifeOperator):
    """Base of the operators that keep an eye on the price.

    After the analysis, which is free, a request is priced by what will be processed. Whatever speaks against
    the start leaves it analysed: an attempt with a higher limit starts the same request. With neither
    ``max_pu`` nor ``budget``, a request that cannot be priced is started all the same.

    :param max_pu: processing units that a request, or a repair of it, may cost in all; else it is not started
        (`BudgetExceededError`). (templated)
    :param pu_figure: which figure of the price counts: ``likely``, ``low`` or ``high``.
    :param count_scenes: look the scenes up in the Catalog, for the price of ORBIT and TILE mosaicking: costs
        0.01 to 1 PU for each 100 scenes. Without it, it is assumed how often satellites come by.
    :param budget: a budget that several runs share: the name of one whose limit is in the Airflow Variable
        ``sentinelhub_budget_<name>``, as ``{"pu": 50000, "per": "month"}`` (or ``"day"``), or a dict with
        ``name``, ``pu`` and ``per``. A request that does not fit is not started (`BudgetExceededError`).
        (templated)
    :param stop_over_pu: stop the request once it has spent more processing units than this, as seen at the
        next look, and fail (`PuLimitPassedError`). (templated)
    """

    limits: Sequence[str] = ("max_pu", "budget", "stop_over_pu")

    def __init__(
        self,
        *,
        max_pu: float | str | None = None,
        pu_figure: Level = "likely",
        count_scenes: bool = False,
        budget: str | Mapping[str, Any] | None = None,
        stop_over_pu: float | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_pu = max_pu
        self.pu_figure = pu_figure
        self.count_scenes = count_scenes
        self.budget = budget
        self.stop_over_pu = stop_over_pu
        self.analyse_first = max_pu is not None or budget is not None

    def execute(self, context: Context) -> dict[str, Any]:
        """Make sure of the limits, before anything is created."""
        from airflow_provider_sentinelhub.hooks.price import check_figure, read_pu

        with failing_for_good():
            read_pu("max_pu", self.max_pu)
            read_pu("stop_over_pu", self.stop_over_pu)
            check_figure(self.pu_figure)
            self._budget()
        return super().execute(context)

    def _reading_conn_id(self) -> str:
        """Return the connection that may read the bucket; empty if there is none."""
        raise NotImplementedError

    def _pu_limit(self) -> float | None:
        from airflow_provider_sentinelhub.hooks.price import read_pu

        return read_pu("stop_over_pu", self.stop_over_pu)

    def _budget(self) -> Budget | None:
        if not self.budget:
            return None
        from airflow_provider_sentinelhub.hooks.budgets import Budget, Limit
        from airflow_provider_sentinelhub.hooks.variables import AirflowVariables

        store = AirflowVariables()
        return Budget(Limit.read(self.budget, store), store)

    def _seen(self, context: Context, request: BatchRequest) -> None:
        from airflow_provider_sentinelhub.client.actions import look, stop_if_running
        from airflow_provider_sentinelhub.client.errors import PuLimitPassedError
        from airflow_provider_sentinelhub.client.judge import adoptable, over, processed, spent_more_than

        super()._seen(context, request)
        limit = self._pu_limit()
        too_dear = spent_more_than(request, limit) and adoptable(request) and not processed(request)
        if too_dear and not over(request):
            stop_if_running(self.hook.client, request.id)
            request = look(self.hook.client, request.id)
        if over(request):
            self._settle(request)
        if too_dear and not processed(request):
            raise PuLimitPassedError(
                request.id, f"was stopped: it is over stop_over_pu = {limit:,g} ({request.progress})."
            )

    def _settle(self, request: BatchRequest) -> None:
        from airflow_provider_sentinelhub.client.errors import DefinitionError

        try:
            budget = self._budget()
        except DefinitionError as error:
            # What is done and paid for must not fail because a Variable is gone.
            self.log.warning("What batch request %s has spent is not booked: %s", request.id, error)
        else:
            if budget is not None:
                budget.settle(request)

    def _before_start(self, context: Context, request: BatchRequest) -> None:
        from airflow_provider_sentinelhub.client.price.budget import price_of
        from airflow_provider_sentinelhub.hooks.price import check_price, read_pu, still_to_pay

        super()._before_start(context, request)
        estimate = self._price(context, request, needed=self.analyse_first)
        if estimate is None:
            return
        max_pu = read_pu("max_pu", self.max_pu)
        if max_pu is not None:
            check_price(request, estimate, max_pu, self.pu_figure)
        budget = self._budget()
        if budget is not None:
            instance = context["ti"]
            to_pay = still_to_pay(request, price_of(estimate, self.pu_figure))
            who = f"{instance.dag_id} {instance.run_id} {instance.task_id} {instance.map_index}"
            remaining = budget.reserve(request, to_pay, who=who)
            self.log.info(
                "%.2f PU are reserved in budget %s; %.2f PU are left", to_pay, budget.limit.name, remaining
            )

    def _price(self, context: Context, request: BatchRequest, *, needed: bool = False) -> Estimate | None:
        """Price an analysed request, and remember that; None if it cannot be, where it is not `needed`."""
        from airflow_provider_sentinelhub.hooks.price import estimate_request

        try:
            catalog = self.hook.client if self.count_scenes else None
            estimate = estimate_request(request, self._reading_conn_id(), catalog)
        except Exception as error:
            if needed:
                raise
            self.log.info("Batch request %s is not priced: %s", request.id, error)
            return None
        self.log.info("The price of batch request %s:\n%s", request.id, estimate.table())
        memory = TaskMemory.of(context)
        memory.estimates[request.id] = estimate.pu._asdict()
        memory.save()
        self._gauge(context, "pu_estimated", estimate.pu.likely)
        return estimate

    def _recorded(self, context: Context, request: BatchRequest, result: dict[str, Any]) -> dict[str, Any]:
        """Complete a result by its estimate; a request that was processed goes into metrics and log."""
        from airflow_provider_sentinelhub.client.actions import look
        from airflow_provider_sentinelhub.client.judge import processed

        ids = (request.id, *result["repairs"])
        known = TaskMemory.of(context).estimates
        for request_id in ids if processed(request) else ():
            if request_id not in known:
                # Forgotten, or started by somebody else; what it was to process is still on the bucket.
                self._price(context, look(self.hook.client, request_id))
        known = TaskMemory.of(context).estimates
        prices = [known.get(request_id) for request_id in ids]
        estimate = _total([price for price in prices if price is not None]) if all(prices) else None
        cost = result["cost_pu"]
        ratio = round(cost / estimate["likely"], 4) if cost and estimate and estimate["likely"] else None
        if processed(request):
            figures = {"pu_spent": cost, "pu_ratio": ratio, "tiles": result["tiles"]}
            for name, figure in figures.items():
                if figure is not None:
                    self._gauge(context, name, figure)
            self.log.info(
                "Batch request %s: %s PU spent, %s, %s tiles",
                request.id,
                "unknown" if cost is None else f"{cost:.2f}",
                f"{ratio:.3f} of the {estimate['likely']:.2f} PU estimated"
                if ratio and estimate
                else "no estimate",
                "unknown" if result["tiles"] is None else result["tiles"],
            )
        return {**result, "estimated_pu": estimate, "pu_ratio": ratio}

    def _gauge(self, context: Context, name: str, value: float) -> None:
        from airflow.sdk.observability import stats

        instance = context["ti"]
        tags = {"dag_id": instance.dag_id, "task_id": instance.task_id}
        stats.gauge(f"{_METRIC}.{name}", value, tags=tags)


def _total(prices: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {figure: sum(price[figure] for price in prices) for figure in ("low", "likely", "high")}
