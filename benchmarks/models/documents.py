from __future__ import annotations

from django.db import models

from benchmarks.models.runs import BenchmarkRun


class RunDocument(models.Model):
    """What the API says of an ended run, encoded once: a large one takes a second to put together.

    `key` changes with whatever the text depends on; one that does not fit is written anew.
    """

    run = models.OneToOneField(BenchmarkRun, models.CASCADE, related_name="document")
    key = models.CharField(max_length=64)
    results = models.BinaryField(help_text="JSON array, zlib.")
    statistics = models.BinaryField(help_text="JSON object, zlib.")
    created_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return str(self.run_id)
