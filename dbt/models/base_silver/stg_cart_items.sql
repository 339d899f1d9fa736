{{
  config(
    materialized='partitions',
    tags=['base_silver'],
    meta={'table': 'base/cart_items', 'order_by': ['cart_id', 'cart_item_id']}
  )
}}

-- depends_on: {{ ref('int_cart_items_scored') }}
{{ accepted('cart_items') }}
