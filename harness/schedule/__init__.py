"""Scheduling: what runs in which order in which bytes, as a :class:`~harness.schedule.plan.Plan`.

``search`` picks the segments of a schedule, ``lifetime`` says which bytes they need when, ``arena``
gives those bytes offsets, ``verify`` replays the result.
"""
