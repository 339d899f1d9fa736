"""BigQuery as the warehouse: tables of its own, loaded from what is published in a bucket."""
