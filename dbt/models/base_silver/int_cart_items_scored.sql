{{ config(materialized='table', tags=['base_silver']) }}

-- depends_on: {{ ref('stg_shopping_carts') }}
-- depends_on: {{ ref('keys_product_catalog') }}
{{ verdicts('cart_items') }}
