{{ config(materialized='table', tags=['dims']) }}

{{ verdicts('product_catalog', bronze=source('bronze', 'product_catalog')) }}
