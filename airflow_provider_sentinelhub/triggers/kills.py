"""Was it a person? Airflow ends tasks and triggers for many reasons; few mean that the result is unwanted."""

from __future__ import annotations

from typing import Any

# A person marked the task, or its run, as failed.
_FAILED = ("failed",)


def killed_for_good(task_instance: Any) -> bool:
    """Whether a person has failed this task instance or deleted its run; asks Airflow, blocks meanwhile.

    Every other state means that somebody still waits or will: deferred (the trigger moved to another
    triggerer), running (the worker is being shut down), scheduled, queued, restarting (cleared), success.
    """
    if task_instance is None:  # `dag.test()`
        return False
    from airflow.sdk.execution_time.comms import GetTaskStates, TaskStatesResult
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    question = GetTaskStates(
        dag_id=task_instance.dag_id,
        task_ids=[task_instance.task_id],
        run_ids=[task_instance.run_id],
        map_index=task_instance.map_index,
    )
    answer = SUPERVISOR_COMMS.send(question)
    if not isinstance(answer, TaskStatesResult):
        return False
    states = [state for of_run in answer.task_states.values() for state in of_run.values()]
    # No state at all: the run was deleted, and nobody can ever ask for its request again.
    return not answer.task_states or any(state in _FAILED for state in states)
