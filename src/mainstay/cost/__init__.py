"""What a call may, will and did cost: prices, holds, budgets, settlement.

Prices, for the ledger::

    catalogue = Catalogue.open(path_of_var_or_none)            # cost.catalogue; one file, rows decoded when asked for
    tariff = catalogue.tariff(kind, upstream, rows)            # or None; rows: a model's own price as plain mappings
    if tariff is None: tariff = catalogue.ceiling(kind)        # unknown: alert, and hold at the dearest that is known
    charge = tariff.price(usage, wall_ms, service="batch")     # cost.rates.Charge: total and parts in 1e-12 US dollars
    hold = tariff.most(input_tokens, output_tokens, wall_ms)   # the most it can cost, in 1e-12 US dollars

``charge.unpriced`` names what was used and has no price (alert); ``charge.computed`` is our own total where the
provider's word, ``usage.reported``, is the charge. ``tariff.row(wall_ms)`` tells source and version of the price.
"""
