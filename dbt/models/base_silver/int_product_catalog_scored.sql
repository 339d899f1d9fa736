{{ config(materialized='table', tags=['dims']) }}

{{ verdicts('product_catalog') }}
