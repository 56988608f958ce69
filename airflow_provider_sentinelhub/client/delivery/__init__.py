"""What a batch request has delivered: held against what was planned, handed over, and repaired.

The API has no endpoint for tiles. The plan is ``featureManifest-<id>.gpkg`` and the account of the processing
``execution-<id>.sqlite``, both in the root folder of the delivery (documented); DONE alone proves nothing.

``folder`` says where things are, ``files`` fetches them and distrusts them, ``ledger`` brings plan, account
and bucket together on disk, ``report`` counts, ``index`` hands over, ``repair`` asks for the rest.
"""
