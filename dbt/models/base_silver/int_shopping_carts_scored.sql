{{ config(materialized='table', tags=['base_silver']) }}

-- depends_on: {{ ref('keys_customers') }}
{{ verdicts('shopping_carts') }}
