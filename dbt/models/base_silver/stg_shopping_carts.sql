{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'base/shopping_carts', 'order_by': ['cart_id']}
  )
}}

-- depends_on: {{ ref('int_shopping_carts_scored') }}
{{ accepted('shopping_carts') }}
