"""What the package loads when it is first used has its types all the same."""

import thornback as ray

reveal_type(ray.exceptions.TaskCancelledError())  # R: TaskCancelledError
reveal_type(ray.JobID.from_int(1))  # R: JobID
reveal_type(ray.ActorID.nil())  # R: ActorID
reveal_type(ray.Executor(max_workers=2))  # R: Executor
