"""Scheduling: what runs in which order in which bytes, as a :class:`~harness.schedule.plan.Plan`.

In the order in which a plan comes about:

- ``geometry``, ``fusion``: what an op reads of its inputs, and which runs of ops may be fused;
- ``order``, ``sweep``, ``reach``, ``stream``, ``patches``: what a fused run keeps and shares;
- ``needs``, ``inplace``, ``work``, ``choices``: the ways to execute some ops, with bytes and work;
- ``paths``, ``offer``, ``patching``, ``search``: the best sequence of them;
- ``lifetime``, ``packing``, ``packer``, ``chain``, ``exact``, ``arena``, ``layout``,
  ``room``: offsets;
- ``verify``, ``structure``, ``replay``, ``shadow``, ``witness``: the result, replayed anew;
- ``timeline``, ``receptive``, ``limits``: what there is to say about it.
"""
