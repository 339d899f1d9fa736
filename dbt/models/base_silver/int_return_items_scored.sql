{{ config(materialized='table', tags=['base_silver']) }}

-- depends_on: {{ ref('stg_returns') }}
-- depends_on: {{ ref('stg_orders') }}
-- depends_on: {{ ref('keys_product_catalog') }}
{{ verdicts('return_items') }}
