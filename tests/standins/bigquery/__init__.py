"""BigQuery on this machine: local-bigquery, mended where it differs from what is documented.

It is run by Python 3.13 or later, in `.standins`, and talks to genuine clients over HTTP. Each
module mends one thing. local-bigquery computes with DuckDB and keeps everything in memory here.

`tests/cloud/test_bigquery_standin.py` says what it enforces. It does not enforce quotas, rights or
prices, it accepts SQL that only DuckDB knows, and a BIGNUMERIC has 38 digits. Where the service's
documentation leaves open what happens, the stand-in refuses; but a load may name the key of Hive's
folders in its schema or leave it out, of which only the latter was seen in public code.
"""
