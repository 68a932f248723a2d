"""Task decorators of the provider: ``@task.cloudelements``."""
